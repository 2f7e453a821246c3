-- lock_session: nobody writes to the session until the end of the transaction; a batch that waits begins it anew
select coalesce(first_at, started_at) as first, coalesce(last_at, started_at) as last, xmin::text as version
from tracker.sessions where project_id = $1 and session_id = $2 for update;

-- mark_events: list the past hours that lose events for a new computation; returns the number of events
with hours as (
    select date_bin('1 hour', timestamp, 'epoch') as bucket, count(*) as events from tracker.events
    where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4
    group by 1
),
marked as (
    insert into tracker.hours_to_refresh (rollup, project_id, bucket)
    select 'events_hourly', $1, bucket from hours where bucket < date_bin('1 hour', now(), 'epoch')
)
select coalesce(sum(events), 0)::bigint from hours;

-- delete_events: events of the session
delete from tracker.events where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4;

-- delete_screenshots: screenshots of the session
delete from tracker.screenshots where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4;

-- delete_recordings: recordings of the session
delete from tracker.recordings where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4;

-- delete_batches: identities of the session's batches
delete from tracker.ingest_batches where project_id = $1 and session_id = $2;

-- delete_tickets: tickets for the session's live streams
delete from tracker.tickets where project_id = $1 and session_id = $2;

-- delete_session: the session's row; subtracts it from the totals and lists its hour ($3 this node)
with gone as (
    delete from tracker.sessions where project_id = $1 and session_id = $2 returning project_id, started_at
),
marked as (
    insert into tracker.hours_to_refresh (rollup, project_id, bucket)
    select 'sessions_hourly', project_id, date_bin('1 hour', started_at, 'epoch') from gone
    where started_at < date_bin('1 hour', now(), 'epoch')
)
insert into tracker.session_totals as t (project_id, node, sessions)
select project_id, $3, -1 from gone
on conflict (project_id, node) do update set sessions = t.sessions - 1;
