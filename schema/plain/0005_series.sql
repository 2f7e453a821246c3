-- Plain PostgreSQL: the three series in partitions of a day (made ahead by storage/plain.py; no default
-- partition, it blocks making and detaching others), hourly events as a rollup table that the server keeps.

create table tracker.events (like tracker.events_columns including storage) partition by range (timestamp);
create table tracker.screenshots (like tracker.screenshots_columns including storage) partition by range (timestamp);
create table tracker.recordings (like tracker.recordings_columns including storage) partition by range (timestamp);

create index events_session on tracker.events (project_id, session_id, timestamp);
create index screenshots_session on tracker.screenshots (project_id, session_id, timestamp);
create unique index screenshots_id on tracker.screenshots (project_id, screenshot_id, timestamp);
create index recordings_session on tracker.recordings (project_id, session_id, timestamp);
-- What compaction has to do: it makes an object of the list, so a row leaves the index for good.
create index recordings_loose on tracker.recordings (project_id, session_id) where jsonb_typeof(batches) = 'array';

-- A parent's policy does not protect a partition that is read directly: each gets its own when it is made.
alter table tracker.events enable row level security;
alter table tracker.screenshots enable row level security;
alter table tracker.recordings enable row level security;

create table tracker.events_hourly_rollup (
    project_id integer     not null,
    bucket     timestamptz not null,
    event_type text        not null,
    page_host  text        not null,
    page_path  text        not null,
    count      bigint      not null,
    sessions   bigint      not null
);

create index events_hourly_bucket on tracker.events_hourly_rollup (project_id, bucket);
alter table tracker.events_hourly_rollup enable row level security;

-- What everyone reads, with the columns of TimescaleDB's continuous aggregate: computed hours from the rollup, later
-- ones from the rows. The aggregate stands again in storage/sql/rollups.sql, where past hours are computed.
create view tracker.events_hourly as
select * from tracker.events_hourly_rollup
where bucket < (select upto from tracker.rollups where name = 'events_hourly')
union all
select project_id, date_bin('1 hour', timestamp, 'epoch'), event_type, page_host, page_path,
       count(*), count(distinct session_id)
from tracker.events
where timestamp >= (select upto from tracker.rollups where name = 'events_hourly')
group by 1, 2, 3, 4, 5;

drop table tracker.events_columns, tracker.screenshots_columns, tracker.recordings_columns;
