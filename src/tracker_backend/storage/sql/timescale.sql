-- versions: of what stores
select split_part(current_setting('server_version'), ' ', 1) as postgresql, extversion as timescaledb
from pg_extension where extname = 'timescaledb';

-- lock_policies: one process changes them at a time
select pg_advisory_xact_lock(hashtext('tracker.policies'));

-- remove_policies: before they are added again as the settings say
call remove_columnstore_policy('tracker.events', if_exists => true);
select remove_retention_policy('tracker.events', if_exists => true);
select remove_retention_policy('tracker.screenshots', if_exists => true);
select remove_retention_policy('tracker.recordings', if_exists => true);
select remove_retention_policy('tracker.events_hourly', if_exists => true);
select remove_continuous_aggregate_policy('tracker.events_hourly', if_exists => true);

-- add_compression: compress chunks of events that ended so long ago
call add_columnstore_policy('tracker.events', after => $1::interval);

-- add_retention: drop chunks of a series or of the hourly numbers that ended so long ago
select add_retention_policy(($1::text)::regclass, drop_after => $2::interval);

-- add_refresh: compute finished hours of the late window ($1), of which retention may have dropped a part while it was shorter, every so often ($2)
select add_continuous_aggregate_policy(
    'tracker.events_hourly', start_offset => least($1::interval, now() - kept_from), end_offset => interval '1 hour',
    schedule_interval => $2::interval, refresh_newest_first => false
) from tracker.rollups where name = 'events_hourly';

-- make_chunk: the chunk of a day before anyone writes to it: concurrent first writes wait for each other ($1 series, $2 days ahead, below 0 for the late window)
select created::int from _timescaledb_functions.create_chunk(
    ($1::text)::regclass,
    jsonb_build_object('timestamp', jsonb_build_array(
        (extract(epoch from date_trunc('day', now(), 'UTC') + make_interval(days => $2)) * 1000000)::bigint,
        (extract(epoch from date_trunc('day', now(), 'UTC') + make_interval(days => $2 + 1)) * 1000000)::bigint
    ))
);

-- close_chunks: a hypertable's row-level security does not protect a chunk that is read directly
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

-- count_chunks: of everything that has retention
select count(*) from timescaledb_information.chunks where hypertable_schema in ('tracker', '_timescaledb_internal');

-- series_retention: the policies that drop chunks of raw rows
select job_id from timescaledb_information.jobs
where proc_name = 'policy_retention' and hypertable_schema = 'tracker' and hypertable_name <> 'events_hourly'
order by 1;

-- hourly_retention: the policy that drops hourly numbers
select job_id from timescaledb_information.jobs
where proc_name = 'policy_retention' and hypertable_schema = 'tracker' and hypertable_name = 'events_hourly';

-- hours_table: where the aggregate keeps computed hours
select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name)
from timescaledb_information.continuous_aggregates
where view_schema = 'tracker' and view_name = 'events_hourly';

-- kept_from: hours before it have lost rows: they are before the oldest chunk of events, or retention said so
select greatest(r.kept_from, (
    select coalesce(min(range_start), date_trunc('day', now(), 'UTC')) from timescaledb_information.chunks
    where hypertable_schema = 'tracker' and hypertable_name = 'events'
)) from tracker.rollups r where name = 'events_hourly';

-- list_hours: hours to compute again; the place and the writer of each entry tell it from those that come meanwhile
select ctid, xmin::text, bucket from tracker.hours_to_refresh where rollup = 'events_hourly';

-- unlist_hours: those are done
delete from tracker.hours_to_refresh h using unnest($1::tid[], $2::text[]) as done (place, writer)
where h.ctid = done.place and h.xmin::text = done.writer;

-- watermark: up to where hours are computed, and up to where they can be: hours that ended two minutes ago, when no transaction of theirs can be open
select greatest(_timescaledb_functions.to_timestamp(_timescaledb_functions.cagg_watermark(h.id)), 'epoch'),
       date_bin('1 hour', now() - interval '2 minutes', 'epoch')
from timescaledb_information.continuous_aggregates a
join _timescaledb_catalog.hypertable h
    on h.schema_name = a.materialization_hypertable_schema and h.table_name = a.materialization_hypertable_name
where a.view_schema = 'tracker' and a.view_name = 'events_hourly';
