-- find_sessions: silent ones ($1 since before) that have rows not yet packed, in key order, after one ($2, $3), so many at a time ($4); the partial index holds those rows and no others
select distinct r.project_id, r.session_id
from tracker.recordings r join tracker.sessions s using (project_id, session_id)
where jsonb_typeof(r.batches) = 'array' and (r.project_id, r.session_id) > ($2::int, $3::uuid)
    and s.last_activity_at < $1
order by 1, 2
limit $4;

-- limit_wait: a writer, a delete or DDL has the session or its chunk: it is packed the next time
set local lock_timeout = '5s';

-- lock_session: nobody writes to it or deletes it meanwhile; nothing if it is gone or not silent any more ($3 since before)
select coalesce(first_at, started_at), coalesce(last_at, started_at)
from tracker.sessions where project_id = $1 and session_id = $2 and last_activity_at < $3 for update;

-- rows: of a session's recording in the order of replay, as replay.sql has them ($3, $4 the session's bounds)
select {row}
from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4
order by client_first, arrival, recording_id;

-- content: of one row
select data, batches from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp = $3 and recording_id = $4;

-- delete_rows: those that were packed ($3, $4 their bounds, $5 their ids)
delete from tracker.recordings
where project_id = $1 and session_id = $2 and timestamp >= $3 and timestamp <= $4 and recording_id = any($5::bigint[]);
