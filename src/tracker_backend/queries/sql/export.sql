-- track_events: sent events of a session, after a position; an import finds those of its recording again ($1 project, $2 session, $3 and $4 its bounds, $5 and $6 position, $7 how many)
select {event}
from tracker.events
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and source <> 'rrweb'
    and (timestamp, event_id) > ($5::timestamptz, $6::bigint)
order by timestamp, event_id
limit $7;
