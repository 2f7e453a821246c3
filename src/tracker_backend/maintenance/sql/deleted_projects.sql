-- list_deleted: deleted projects that have rows, or have them again: a batch that was under way, an import
select project_id from tracker.projects p
where deleted_at is not null and (
    exists (select from tracker.session_totals t where t.project_id = p.project_id)
    or exists (select from tracker.sessions s where s.project_id = p.project_id)
)
order by project_id;

-- find_days: from the first day that its rows are of to the end of the last one
select date_trunc('day', min(least(started_at, first_at)), 'UTC'),
       date_trunc('day', max(greatest(started_at, last_at)), 'UTC') + interval '1 day'
from tracker.sessions where project_id = $1;

-- lock_sessions: in the order in which writers lock them; those who come now begin theirs anew
select session_id from tracker.sessions where project_id = $1 order by session_id for update;

-- delete_sessions: those that are locked (array), and their hours marked
with gone as (
    delete from tracker.sessions where project_id = $1 and session_id = any($2::uuid[]) returning started_at
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'sessions_hourly', $1::int, date_bin('1 hour', started_at, 'epoch') from gone
where started_at < date_bin('1 hour', now(), 'epoch');

-- delete_batches: identities of what was stored
delete from tracker.ingest_batches where project_id = $1;

-- delete_sessions_hourly: every hour, also those whose numbers were final
delete from tracker.sessions_hourly_rollup where project_id = $1;

-- delete_totals: the last, by which the next round knows that it is done
delete from tracker.session_totals t where project_id = $1
    and not exists (select from tracker.sessions s where s.project_id = t.project_id);

-- list_ended: deleted projects, whether they have rows or not
select project_id from tracker.projects where deleted_at is not null order by project_id;

-- drop_projects: so long after, nothing can be under way; not those of which files are left ($2)
delete from tracker.projects where deleted_at < now() - $1::interval and project_id <> all($2::integer[]);
