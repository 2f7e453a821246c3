-- late_events: ids of the events of a session above an id ($3, $4 the bounds of the session, $5 the id)
select event_id from tracker.events
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and event_id > $5;

-- events_after: the first $7 events with ids above $5 and up to $6, ordered by id
select {event} from tracker.events
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and event_id > $5 and event_id <= $6
order by event_id limit $7;

-- batch_events: the events of a batch; its ids are consecutive and of one process (the low 6 bits)
select {event} from tracker.events
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and event_id >= $5 and event_id <= $6
    and (event_id & 63) = ($5 & 63)
order by event_id;

-- batch_recording: the frame of a batch
select data from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp = $3 and recording_id = $4;

-- rows: the rows of a recording above an id ($5), in the order of replay, with their batches and without their data ($3, $4 the bounds of the session); the id of a packed row is above those of its batches
select {recorded}
from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and recording_id > $5
order by client_first, arrival, recording_id;

-- counts: the number of events of these sessions, which shows the sessions with new rows (arrays: project, session)
select project_id, session_id, native_event_count + rrweb_event_count + recorded_event_count
from tracker.sessions join unnest($1::int[], $2::uuid[]) as w (project_id, session_id) using (project_id, session_id);
