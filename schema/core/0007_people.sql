-- People, what they may do, and what was done. Both tiers.

-- Signs cookies, and keys the hashes of erased visitors. It never leaves the server.
alter table tracker.installation add column secret bytea not null
    default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex');

alter table tracker.users alter column password_hash set not null;

create table tracker.members (
    project_id integer     not null references tracker.projects on delete cascade,
    user_id    integer     not null references tracker.users on delete cascade,
    role       text        not null check (role in ('owner', 'editor', 'viewer')),
    created_at timestamptz not null default now(),
    primary key (project_id, user_id)
);

create index members_user on tracker.members (user_id);

-- A deleted project takes and shows nothing from then on; its rows go in small transactions, itself at the end.
alter table tracker.projects add column deleted_at timestamptz;

-- Links that work once: the first owner's, an invitation to a project, a new password. `email`: nobody else may use it.
-- `created_by` and `key_sha256`: the person or the key that made it; one of a command has neither.
create table tracker.links (
    token_sha256 bytea       primary key,
    link_id      integer     generated always as identity unique,
    purpose      text        not null check (purpose in ('first owner', 'invitation', 'password')),
    project_id   integer     references tracker.projects on delete cascade,
    role         text        check (role in ('owner', 'editor', 'viewer')),
    email        text,
    created_by   integer     references tracker.users on delete set null,
    key_sha256   bytea       references tracker.api_keys on delete cascade,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    used_at      timestamptz
);

-- Each start without an owner replaces the link of the one before.
create unique index links_first_owner on tracker.links (purpose) where purpose = 'first owner' and used_at is null;

-- Browsers that are logged in; logging out deletes the row.
create table tracker.logins (
    token_sha256 bytea       primary key,
    user_id      integer     not null references tracker.users on delete cascade,
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null
);

create index logins_user on tracker.logins (user_id);

alter table tracker.api_keys add column created_by text, add column last_used_at timestamptz;

-- Keys are named by their prefix, so that no two of a project may begin alike.
create unique index api_keys_prefix on tracker.api_keys (project_id, prefix);

-- One-use tickets of streams: they stand for the key or login that asked for them, on one session.
create table tracker.tickets (
    token_sha256 bytea       primary key,
    project_id   integer     not null references tracker.projects on delete cascade,
    session_id   uuid        not null,
    key_sha256   bytea       references tracker.api_keys on delete cascade,
    login_sha256 bytea       references tracker.logins on delete cascade,
    expires_at   timestamptz not null
);

-- Who did what. Kept apart: no foreign keys, so that it outlives what it tells of, and never updated.
create table tracker.audit (
    audit_id   bigint      generated always as identity primary key,
    at         timestamptz not null default now(),
    project_id integer,
    actor      text        not null,
    action     text        not null,
    target     text,
    details    jsonb       not null default '{}'
);

create index audit_project on tracker.audit (project_id, audit_id);

alter table tracker.members enable row level security;
alter table tracker.links enable row level security;
alter table tracker.logins enable row level security;
alter table tracker.tickets enable row level security;
alter table tracker.audit enable row level security;

-- One public key stands in new pages; those that it replaced may go on until they expire.
drop index tracker.api_keys_public;
create unique index api_keys_public on tracker.api_keys (project_id)
    where public_key is not null and revoked_at is null and expires_at is null;
