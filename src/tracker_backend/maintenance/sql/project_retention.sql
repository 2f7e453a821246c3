-- list_projects: projects that set a retention
select project_id, settings from tracker.projects where settings ->> 'retention_days' is not null order by project_id;

-- lock_sessions: sessions with rows before the limit, in the order of locks ($2 limit, $3 after this session, $4 how many)
select session_id, coalesce(first_at, started_at) as first from tracker.sessions
where project_id = $1 and session_id > $3
    and (first_at < $2 or greatest(last_activity_at, last_at) < $2)
order by session_id limit $4
for update;

-- delete_late_events: events that were stored after their days were deleted ($2 sessions, from $3 to the limit $4)
with gone as (
    delete from tracker.events
    where project_id = $1 and session_id = any($2::uuid[]) and timestamp >= $3 and timestamp < $4
    returning timestamp
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'events_hourly', $1::int, date_bin('1 hour', timestamp, 'epoch') from gone;

-- delete_late_screenshots: the same of screenshots
delete from tracker.screenshots where project_id = $1 and session_id = any($2::uuid[]) and timestamp >= $3 and timestamp < $4;

-- delete_late_recordings: the same of recordings
delete from tracker.recordings where project_id = $1 and session_id = any($2::uuid[]) and timestamp >= $3 and timestamp < $4;

-- drop_sessions: those of these sessions ($2) without rows since the limit ($3); subtracts them from the totals ($4 this node) and lists their hours
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

-- move_sessions: the other sessions have no rows before the limit any more
with moved as (
    update tracker.sessions set first_at = $3
    where project_id = $1 and session_id = any($2::uuid[]) and first_at < $3
    returning started_at
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'sessions_hourly', $1::int, date_bin('1 hour', started_at, 'epoch') from moved;
