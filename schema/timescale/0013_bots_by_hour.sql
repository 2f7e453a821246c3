-- Events are labelled like their sessions, and counted by that label. TimescaleDB Community.

-- A continuous aggregate gets no new column: it is made again. Hours that lost rows to retention are carried over, as if
-- no bot had been among them; the first refresh (after at most TRACKER_REFRESH_MINUTES) computes the others and shows all.
create temporary table kept_hours on commit drop as
select project_id, bucket, event_type, page_host, page_path, count, sessions from tracker.events_hourly
where bucket < (
    select greatest(r.kept_from, (
        select coalesce(min(range_start), date_trunc('day', now(), 'UTC')) from timescaledb_information.chunks
        where hypertable_schema = 'tracker' and hypertable_name = 'events'
    )) from tracker.rollups r where name = 'events_hourly'
);

drop view if exists tracker_analyst.events_hourly;
drop materialized view tracker.events_hourly;

alter table tracker.events add column is_bot boolean not null default false;

-- Events of more than a week are compressed; there is no limit of how many of them are changed.
set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0;

update tracker.events e set is_bot = true from tracker.sessions s
where s.is_bot and e.project_id = s.project_id and e.session_id = s.session_id
    and e.timestamp >= s.first_at and e.timestamp <= s.last_at;

create materialized view tracker.events_hourly with (
    timescaledb.continuous,
    timescaledb.materialized_only = false,
    timescaledb.create_group_indexes = false
) as
select project_id, time_bucket('1 hour', timestamp) as bucket, event_type, page_host, page_path,
       count(*) as count, count(distinct session_id) as sessions, is_bot
from tracker.events
group by 1, 2, 3, 4, 5, 8
with no data;

create index events_hourly_bucket on tracker.events_hourly (project_id, bucket);

do $$
begin
    execute (
        select format(
            'insert into %I.%I (project_id, bucket, event_type, page_host, page_path, count, sessions, is_bot)
                select project_id, bucket, event_type, page_host, page_path, count, sessions, false from kept_hours',
            materialization_hypertable_schema, materialization_hypertable_name
        )
        from timescaledb_information.continuous_aggregates
        where view_schema = 'tracker' and view_name = 'events_hourly'
    );
    -- Analysts see the column too: the function of 0009, with it.
    execute replace(replace(pg_get_functiondef('tracker.open_to_analysts()'::regprocedure),
        'click_count, event_data', 'click_count, event_data, is_bot'),
        'page_path, count, sessions', 'page_path, count, sessions, is_bot');
end $$;

select tracker.open_to_analysts();
