-- lock_partitions: one process makes partitions at a time
select pg_advisory_xact_lock(hashtext('tracker.partitions'));

-- list_partitions: every day's table of these series, also one whose detaching was cut off
select c.relname as name, regexp_replace(c.relname, '_[0-9]{8}$', '') as series,
       exists (select from pg_inherits i where i.inhrelid = c.oid and not i.inhdetachpending) as is_attached
from pg_class c
where c.relnamespace = 'tracker'::regnamespace and c.relkind = 'r'
    and regexp_replace(c.relname, '_[0-9]{8}$', '') = any($1::text[]) and c.relname ~ '_[0-9]{8}$'
order by 1;

-- first_day: start of the oldest partition of events; hours before it have lost their rows
select coalesce(min(to_date(right(relname, 8), 'YYYYMMDD')), current_date)::timestamp at time zone 'UTC'
from pg_class join pg_inherits on inhrelid = pg_class.oid
where inhparent = 'tracker.events'::regclass;

-- drop_hours: hourly numbers past their own retention
delete from tracker.events_hourly_rollup where bucket < $1;
