-- What server processes agree on through the database. Both tiers.

-- The number inside every id a process gives. `reserved` is a counter that the holder never passes, and from which the
-- next holder goes on: ids stay unique whatever the clocks of two machines say.
create table tracker.nodes (
    node     smallint    primary key check (node between 0 and 63),
    holder   uuid        not null,
    until    timestamptz not null,
    reserved bigint      not null
);

-- Who runs the maintenance tasks. A row, not an advisory lock: it works through a pooler in transaction mode.
create table tracker.leases (
    name   text        primary key,
    holder uuid        not null,
    until  timestamptz not null
);

alter table tracker.nodes enable row level security;
alter table tracker.leases enable row level security;

-- Hours before `upto` are read from a rollup table, later ones from the rows themselves. Hours before `kept_from` have
-- lost rows to retention: their numbers are final, also when retention is made longer afterwards.
create table tracker.rollups (
    name      text        primary key,
    upto      timestamptz not null,
    kept_from timestamptz not null default 'epoch'
);

insert into tracker.rollups
select name, date_bin('1 hour', now(), 'epoch') from unnest(array['events_hourly', 'sessions_hourly']) as name;

-- Appended to by whoever changes a past hour, in the same transaction; emptied by the refresh task. No key: a writer
-- must never find "already listed", because the lister's row may be gone with a refresh that did not see its data.
create table tracker.hours_to_refresh (
    rollup     text        not null,
    project_id integer     not null,
    bucket     timestamptz not null
);

alter table tracker.rollups enable row level security;
alter table tracker.hours_to_refresh enable row level security;
