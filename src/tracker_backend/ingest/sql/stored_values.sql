-- typed: events of a session that may hold typed values ($3 types of events)
select e.event_id, e.timestamp, e.event_type, e.target_element, e.target_id, e.target_class, e.target_selector,
    e.input_value, e.event_data
from tracker.events e join tracker.sessions s using (project_id, session_id)
where s.project_id = $1 and s.session_id = $2 and e.project_id = $1 and e.session_id = $2
    and e.timestamp >= s.first_at and e.timestamp <= s.last_at and e.source <> 'rrweb'
    and (e.input_value <> '********' or e.target_element ~* '^\s*<(input|textarea|select)'
        or (e.event_data is not null and lower(e.event_type) = any($3::text[])));

-- hide_typed: masks such events ($3 and $4 their first and last time, then arrays: event, time, value, element, data)
update tracker.events e set input_value = g.input_value, target_element = g.target_element, event_data = g.event_data
from unnest($5::bigint[], $6::timestamptz[], $7::text[], $8::text[], $9::jsonb[])
    as g (event_id, timestamp, input_value, target_element, event_data)
where e.project_id = $1 and e.session_id = $2 and e.timestamp >= $3 and e.timestamp <= $4
    and e.timestamp = g.timestamp and e.event_id = g.event_id;

-- frames: the rows of a session's recording
select r.recording_id, r.timestamp, r.data
from tracker.recordings r join tracker.sessions s using (project_id, session_id)
where s.project_id = $1 and s.session_id = $2 and r.project_id = $1 and r.session_id = $2
    and r.timestamp >= s.first_at and r.timestamp <= s.last_at;

-- hide_frame: another frame in place of one
update tracker.recordings set data = $5, inflated_size = $6
where project_id = $1 and session_id = $2 and timestamp = $3 and recording_id = $4;
