-- late_events: ids of a session's events above one ($3, $4 the session's bounds, $5 the id)
select event_id from tracker.events
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and event_id > $5;

-- events_after: in order of ids, so many ($7), from above one id ($5) up to another ($6)
select {event} from tracker.events
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and event_id > $5 and event_id <= $6
order by event_id limit $7;

-- batch_events: of one batch, whose ids one process gave in one go (the low 6 bits name it)
select {event} from tracker.events
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and event_id >= $5 and event_id <= $6
    and (event_id & 63) = ($5 & 63)
order by event_id;

-- batch_recording: the frame of one batch
select data from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp = $3 and recording_id = $4;

-- rows: of a session's recording above an id ($5), in the order of replay, with the batches they came from and without their data ($3, $4 the session's bounds); a packed row's id is above those of its batches
select {recorded}
from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and recording_id > $5
order by client_first, arrival, recording_id;

-- counts: how much there is of these sessions, to find those that got something (arrays: project, session)
select project_id, session_id, native_event_count + rrweb_event_count + recorded_event_count
from tracker.sessions join unnest($1::int[], $2::uuid[]) as w (project_id, session_id) using (project_id, session_id);
