-- versions: versions of PostgreSQL and TimescaleDB
select split_part(current_setting('server_version'), ' ', 1) as postgresql, extversion as timescaledb
from pg_extension where extname = 'timescaledb';

-- lock_policies: one process at a time changes the policies
select pg_advisory_xact_lock(hashtext('tracker.policies'));

-- remove_policies: all policies, before they are added again with the intervals of the settings
call remove_columnstore_policy('tracker.events', if_exists => true);
select remove_retention_policy('tracker.events', if_exists => true);
select remove_retention_policy('tracker.screenshots', if_exists => true);
select remove_retention_policy('tracker.recordings', if_exists => true);
select remove_retention_policy('tracker.events_hourly', if_exists => true);
select remove_continuous_aggregate_policy('tracker.events_hourly', if_exists => true);

-- add_compression: compress chunks of events after this interval
call add_columnstore_policy('tracker.events', after => $1::interval);

-- add_retention: drop chunks of a series or of the hourly numbers after this interval
select add_retention_policy(($1::text)::regclass, drop_after => $2::interval);

-- add_refresh: compute finished hours of the late window ($1) at this interval ($2); a shorter retention may have dropped some of their rows
select add_continuous_aggregate_policy(
    'tracker.events_hourly', start_offset => least($1::interval, now() - kept_from), end_offset => interval '1 hour',
    schedule_interval => $2::interval, refresh_newest_first => false
) from tracker.rollups where name = 'events_hourly';

-- make_chunk: create the chunk of a day before the first write, because concurrent first writes block each other ($1 series, $2 days ahead, negative for the late window)
select created::int from _timescaledb_functions.create_chunk(
    ($1::text)::regclass,
    jsonb_build_object('timestamp', jsonb_build_array(
        (extract(epoch from date_trunc('day', now(), 'UTC') + make_interval(days => $2)) * 1000000)::bigint,
        (extract(epoch from date_trunc('day', now(), 'UTC') + make_interval(days => $2 + 1)) * 1000000)::bigint
    ))
);

-- close_chunks: enable row-level security on chunks: that of the hypertable does not protect a chunk that is read directly
do $$
declare
    chunk regclass;
begin
    for chunk in
        select c.oid from timescaledb_information.chunks i
        join pg_class c on c.oid = format('%I.%I', i.chunk_schema, i.chunk_name)::regclass
        where i.hypertable_schema = 'tracker' and i.hypertable_name in ('screenshots', 'recordings')
            and not c.relrowsecurity
    loop
        execute format('alter table %s enable row level security', chunk);
    end loop;
end $$;

-- count_chunks: the number of chunks of everything that has retention
select count(*) from timescaledb_information.chunks where hypertable_schema in ('tracker', '_timescaledb_internal');

-- series_retention: the policies that drop chunks of raw rows
select job_id from timescaledb_information.jobs
where proc_name = 'policy_retention' and hypertable_schema = 'tracker' and hypertable_name <> 'events_hourly'
order by 1;

-- hourly_retention: the policy that drops hourly numbers
select job_id from timescaledb_information.jobs
where proc_name = 'policy_retention' and hypertable_schema = 'tracker' and hypertable_name = 'events_hourly';

-- hours_table: the table in which the aggregate stores computed hours
select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
from timescaledb_information.continuous_aggregates
where view_schema = 'tracker' and view_name = 'events_hourly';

-- kept_from: the first hour that has lost no rows: the oldest chunk of events, or what retention has noted
select greatest(r.kept_from, (
    select coalesce(min(range_start), date_trunc('day', now(), 'UTC')) from timescaledb_information.chunks
    where hypertable_schema = 'tracker' and hypertable_name = 'events'
)) from tracker.rollups r where name = 'events_hourly';

-- list_hours: hours to compute again; ctid and xmin tell an entry from those that are added meanwhile
select ctid, xmin::text, bucket from tracker.hours_to_refresh where rollup = 'events_hourly';

-- unlist_hours: remove computed entries
delete from tracker.hours_to_refresh h using unnest($1::tid[], $2::text[]) as done (place, writer)
where h.ctid = done.place and h.xmin::text = done.writer;

-- watermark: the hour up to which hours are computed, and the hour up to which they can be: it ended two minutes ago, so no transaction can still write to it
select greatest(_timescaledb_functions.to_timestamp(_timescaledb_functions.cagg_watermark(h.id)), 'epoch'),
       date_bin('1 hour', now() - interval '2 minutes', 'epoch')
from timescaledb_information.continuous_aggregates a
join _timescaledb_catalog.hypertable h
    on h.schema_name = a.materialization_hypertable_schema and h.table_name = a.materialization_hypertable_name
where a.view_schema = 'tracker' and a.view_name = 'events_hourly';
