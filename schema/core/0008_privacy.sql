-- What visitors have a right to. Both tiers.

-- `masked_fields` are fields that once looked secret: nothing typed into them is stored any more. `has_typed`: values of other fields are stored, which
-- may turn out to be secret. `client_address` is
-- kept only where a setting says so, and truncated.
alter table tracker.sessions add column masked_fields text[], add column client_address text,
    add column has_typed boolean not null default false;

-- Receipts. `mark` is a keyed hash of the user's or session's id: it proves which one was meant and does not tell it.
-- `wanted` is the id itself, kept until all is removed, so that another process can go on.
create table tracker.erasures (
    erasure_id  uuid        primary key default gen_random_uuid(),
    project_id  integer     not null,
    subject     text        not null check (subject in ('user', 'session')),
    mark        bytea       not null,
    actor       text        not null,
    asked_at    timestamptz not null default now(),
    finished_at timestamptz,
    wanted      text        check ((wanted is null) = (finished_at is not null)),
    removed     jsonb       not null default '{}'
);

create index erasures_project on tracker.erasures (project_id, asked_at);
create unique index erasures_unfinished on tracker.erasures (mark) where finished_at is null;

-- The marks of the sessions that each removed: a later proof finds them again, and nobody else.
create table tracker.erased_sessions (
    erasure_id uuid  references tracker.erasures on delete cascade,
    mark       bytea,
    primary key (erasure_id, mark)
);

-- What may not come back: batches of these sessions and users are dropped until the time is over. One that a batch
-- brought about, naming an erased user, carries its session until what came of it before is removed too.
create table tracker.tombstones (
    mark       bytea       primary key,
    until      timestamptz not null,
    project_id integer,
    erasure_id uuid,
    session_id uuid
);

create index tombstones_pending on tracker.tombstones (mark) where session_id is not null;

alter table tracker.erasures enable row level security;
alter table tracker.erased_sessions enable row level security;
alter table tracker.tombstones enable row level security;
