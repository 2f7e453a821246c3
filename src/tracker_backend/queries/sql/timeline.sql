-- first_recorded: the stored time of a session's first rrweb event, and its time by the client's clock ($3, $4 the session's bounds)
select timestamp, client_first from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4
order by client_first, arrival, recording_id
limit 1;
