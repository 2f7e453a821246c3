-- mark_of: whom it was about
select mark from tracker.erasures where project_id = $1 and erasure_id = $2;

-- sessions_of_user: by what their rows tell
select session_id from tracker.sessions where project_id = $1 and user_id = $2;

-- dropped_until: now, and until when a mark's batches are dropped
select now(), (select until from tracker.tombstones where mark = $1);

-- sessions_of_sessions: ids of all that have rows there
select session_id from tracker.sessions where project_id = $1;

-- count_sessions: rows of these sessions (array)
select count(*) from tracker.sessions where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_events: ids of all that have rows there
select distinct session_id from tracker.events where project_id = $1;

-- count_events: rows of these sessions (array)
select count(*) from tracker.events where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_recordings: ids of all that have rows there
select distinct session_id from tracker.recordings where project_id = $1;

-- count_recordings: rows of these sessions (array)
select count(*) from tracker.recordings where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_screenshots: ids of all that have rows there
select distinct session_id from tracker.screenshots where project_id = $1;

-- count_screenshots: rows of these sessions (array)
select count(*) from tracker.screenshots where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_ingest_batches: ids of all that have rows there
select distinct session_id from tracker.ingest_batches where project_id = $1;

-- count_ingest_batches: rows of these sessions (array)
select count(*) from tracker.ingest_batches where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_tickets: ids of all that have rows there
select distinct session_id from tracker.tickets where project_id = $1;

-- count_tickets: rows of these sessions (array)
select count(*) from tracker.tickets where project_id = $1 and session_id = any($2::uuid[]);
