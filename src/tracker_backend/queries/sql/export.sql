-- track_events: sent events of a session, after a position; an import finds those of its recording again ($1 project, $2 session, $3 and $4 its bounds, $5 and $6 position, $7 how many)
select {event}
from tracker.events
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and source <> 'rrweb'
    and (timestamp, event_id) > ($5::timestamptz, $6::bigint)
order by timestamp, event_id
limit $7;

-- sessions: sessions of a project by start, after a position ($2, $3), that began in a time range ($4 to $5, null for open; $6 how many)
select started_at, session_id from tracker.sessions
where project_id = $1 and (started_at, session_id) > ($2::timestamptz, $3::uuid)
    and ($4::timestamptz is null or started_at >= $4) and ($5::timestamptz is null or started_at < $5)
order by started_at, session_id limit $6;
