-- lock_partitions: one process at a time creates partitions
select pg_advisory_xact_lock(hashtext('tracker.partitions'));

-- list_partitions: the partition of each day of these series, interrupted detachments first
select c.relname as name, regexp_replace(c.relname, '_[0-9]{8}$', '') as series,
       case when i.inhrelid is null then 'detached' when i.inhdetachpending then 'pending' else 'attached' end as state
from pg_class c left join pg_inherits i on i.inhrelid = c.oid
where c.relnamespace = 'tracker'::regnamespace and c.relkind = 'r'
    and regexp_replace(c.relname, '_[0-9]{8}$', '') = any($1::text[]) and c.relname ~ '_[0-9]{8}$'
order by i.inhdetachpending desc nulls last, 1;

-- forget_hours: the hourly numbers of a project
delete from tracker.events_hourly_rollup where project_id = $1;

-- drop_hours: hourly numbers past their retention
delete from tracker.events_hourly_rollup where bucket < $1;
