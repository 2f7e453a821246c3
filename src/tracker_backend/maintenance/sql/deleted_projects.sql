-- list_deleted: deleted projects that have rows, or have rows again of a batch or an import that was running
select project_id from tracker.projects p
where deleted_at is not null and (
    exists (select from tracker.session_totals t where t.project_id = p.project_id)
    or exists (select from tracker.sessions s where s.project_id = p.project_id)
)
order by project_id;

-- find_days: the begin of the first day with rows of a project, and the end of the last
select date_trunc('day', min(least(started_at, first_at)), 'UTC'),
       date_trunc('day', max(greatest(started_at, last_at)), 'UTC') + interval '1 day'
from tracker.sessions where project_id = $1;

-- lock_sessions: in the order in which writers lock them; a batch that waits begins its session anew
select session_id from tracker.sessions where project_id = $1 order by session_id for update;

-- delete_sessions: the locked sessions (array); lists their past hours for a new computation
with gone as (
    delete from tracker.sessions where project_id = $1 and session_id = any($2::uuid[]) returning started_at
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'sessions_hourly', $1::int, date_bin('1 hour', started_at, 'epoch') from gone
where started_at < date_bin('1 hour', now(), 'epoch');

-- delete_batches: identities of batches
delete from tracker.ingest_batches where project_id = $1;

-- delete_sessions_hourly: hourly numbers of sessions, also those that are frozen
delete from tracker.sessions_hourly_rollup where project_id = $1;

-- delete_totals: the last statement; a project without totals and sessions is done
delete from tracker.session_totals t where project_id = $1
    and not exists (select from tracker.sessions s where s.project_id = t.project_id);

-- list_ended: deleted projects, with and without rows
select project_id from tracker.projects where deleted_at is not null order by project_id;

-- drop_projects: rows of projects that were deleted so long ago ($1) that no batch of them can arrive; not of those with files left ($2 array)
delete from tracker.projects where deleted_at < now() - $1::interval and project_id <> all($2::integer[]);
