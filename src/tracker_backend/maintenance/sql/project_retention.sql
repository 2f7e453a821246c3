-- list_projects: those with a retention of their own
select project_id, settings from tracker.projects where settings ->> 'retention_days' is not null order by project_id;

-- lock_sessions: those that reach back beyond the limit ($2), in the order of locks, after one ($3), so many ($4)
select session_id, coalesce(first_at, started_at) as first from tracker.sessions
where project_id = $1 and session_id > $3
    and (first_at < $2 or greatest(last_activity_at, last_at) < $2)
order by session_id limit $4
for update;

-- delete_late_events: what came of these sessions ($2) after their days were emptied, from the first ($3) to the limit ($4)
with gone as (
    delete from tracker.events
    where project_id = $1 and session_id = any($2::uuid[]) and timestamp >= $3 and timestamp < $4
    returning timestamp
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'events_hourly', $1::int, date_bin('1 hour', timestamp, 'epoch') from gone;

-- delete_late_screenshots: the same
delete from tracker.screenshots where project_id = $1 and session_id = any($2::uuid[]) and timestamp >= $3 and timestamp < $4;

-- delete_late_recordings: the same
delete from tracker.recordings where project_id = $1 and session_id = any($2::uuid[]) and timestamp >= $3 and timestamp < $4;

-- drop_sessions: of these ($2) those without rows since the limit ($3); taken off the totals ($4 this node), their hours marked
with dropped as (
    delete from tracker.sessions
    where project_id = $1 and session_id = any($2::uuid[]) and greatest(last_activity_at, last_at) < $3
    returning started_at
),
marked as (
    insert into tracker.hours_to_refresh (rollup, project_id, bucket)
    select distinct 'sessions_hourly', $1::int, date_bin('1 hour', started_at, 'epoch') from dropped
),
counted as (
    insert into tracker.session_totals as t (project_id, node, sessions)
    select $1, $4, -count(*) from dropped having count(*) > 0
    on conflict (project_id, node) do update set sessions = t.sessions + excluded.sessions
)
select count(*) from dropped;

-- move_sessions: the others have no rows before the limit any more; one that began before it was told to may get shorter
with moved as (
    update tracker.sessions set first_at = $3
    where project_id = $1 and session_id = any($2::uuid[]) and first_at < $3
    returning started_at
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'sessions_hourly', $1::int, date_bin('1 hour', started_at, 'epoch') from moved;
