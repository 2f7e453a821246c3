-- get_bounds: the time range of a session's rows, its number of events, and its clock offset in milliseconds
select coalesce(first_at, started_at), coalesce(last_at, started_at), event_count, coalesce(clock_offset_ms, 0)
from tracker.sessions where project_id = $1 and session_id = $2;
