-- rows: of a session's recording in the order of replay, with the batches that each came from, without their data ($3, $4 the session's bounds)
select {row}
from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4
order by client_first, arrival, recording_id;

-- content: of one row, with the runs of its events where it was merged of several batches
select data, coalesce(batches -> 'runs', '[]') as runs from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp = $3 and recording_id = $4;
