-- TimescaleDB Community: the three series as hypertables in chunks of a day, hourly events as a continuous aggregate.
-- Policies (compression, retention, refresh) carry settings, so `migrate` applies them each time: storage/timescale.py.

create table tracker.events (like tracker.events_columns including storage);
create table tracker.screenshots (like tracker.screenshots_columns including storage);
create table tracker.recordings (like tracker.recordings_columns including storage);

select create_hypertable('tracker.events', by_range('timestamp', interval '1 day'), create_default_indexes => false);
select create_hypertable('tracker.screenshots', by_range('timestamp', interval '1 day'), create_default_indexes => false);
select create_hypertable('tracker.recordings', by_range('timestamp', interval '1 day'), create_default_indexes => false);

create index events_session on tracker.events (project_id, session_id, timestamp);
create index screenshots_session on tracker.screenshots (project_id, session_id, timestamp);
create unique index screenshots_id on tracker.screenshots (project_id, screenshot_id, timestamp);
create index recordings_session on tracker.recordings (project_id, session_id, timestamp);
-- What compaction has to do: it makes an object of the list, so a row leaves the index for good.
create index recordings_loose on tracker.recordings (project_id, session_id) where jsonb_typeof(batches) = 'array';

-- Segments by project, ordered by session: 92 % saved. A session alone has too few rows to fill a compressed batch
-- (65 % saved). Only events: JPEG and zstd gain nothing, and deleting one session's images from the columnstore took 16 s.
alter table tracker.events set (
    timescaledb.enable_columnstore = true,
    timescaledb.segmentby = 'project_id',
    timescaledb.orderby = 'session_id, timestamp'
);

-- Row-level security is refused on a hypertable with columnstore; `events` is closed by its grants alone.
alter table tracker.screenshots enable row level security;
alter table tracker.recordings enable row level security;

-- Real-time: hours not yet computed are read from the rows. One index of ours in place of one for each column: with
-- those, a single long path (9.6 KB) stopped every refresh.
create materialized view tracker.events_hourly with (
    timescaledb.continuous,
    timescaledb.materialized_only = false,
    timescaledb.create_group_indexes = false
) as
select project_id, time_bucket('1 hour', timestamp) as bucket, event_type, page_host, page_path,
       count(*) as count, count(distinct session_id) as sessions
from tracker.events
group by 1, 2, 3, 4, 5
with no data;

create index events_hourly_bucket on tracker.events_hourly (project_id, bucket);

drop table tracker.events_columns, tracker.screenshots_columns, tracker.recordings_columns;
