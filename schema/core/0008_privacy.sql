-- What visitors have a right to. Both tiers.

-- `masked_fields` are fields that once looked secret: nothing typed into them is stored any more. `client_address` is
-- kept only where a setting says so, and truncated.
alter table tracker.sessions add column masked_fields text[], add column client_address text;

-- Receipts. `mark` is a keyed hash of the user's or session's id: it proves which one was meant and does not tell it.
create table tracker.erasures (
    erasure_id  uuid        primary key default gen_random_uuid(),
    project_id  integer     not null,
    subject     text        not null check (subject in ('user', 'session')),
    mark        bytea       not null,
    actor       text        not null,
    asked_at    timestamptz not null default now(),
    finished_at timestamptz,
    removed     jsonb       not null default '{}'
);

create index erasures_project on tracker.erasures (project_id, asked_at);

-- What may not come back: batches of these sessions and users are dropped until the time is over.
create table tracker.tombstones (
    mark  bytea       primary key,
    until timestamptz not null
);

alter table tracker.erasures enable row level security;
alter table tracker.tombstones enable row level security;
