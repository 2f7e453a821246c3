-- drop_sessions_hours: hourly numbers of sessions before an hour
delete from tracker.sessions_hourly_rollup where bucket < $1;

-- drop_sessions: sessions whose last raw rows have expired, in the order of locks; subtracts them from the totals ($1 before, $2 this node)
with expired as (
    select project_id, session_id from tracker.sessions
    where greatest(last_activity_at, last_at) < $1
    order by project_id, session_id
    for update
),
dropped as (
    delete from tracker.sessions s using expired e
    where s.project_id = e.project_id and s.session_id = e.session_id
    returning s.project_id
),
counted as (
    insert into tracker.session_totals as t (project_id, node, sessions)
    select project_id, $2, -count(*) from dropped group by project_id order by project_id
    on conflict (project_id, node) do update set sessions = t.sessions + excluded.sessions
)
select count(*) from dropped;

-- drop_batches: identities of batches that cannot be repeated any more
delete from tracker.ingest_batches where received_at < $1;
