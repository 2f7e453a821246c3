-- rows: of a session's recording in the order of replay, without their data ($3, $4 the session's bounds); those that came from one merge share their arrival
select {head}
from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4
order by client_first, arrival, recording_id;

-- data: of one row
select data from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp = $3 and recording_id = $4;
