-- subject_hash: the keyed hash of the user or session that was erased
select keyed_hash from tracker.erasures where project_id = $1 and erasure_id = $2;

-- sessions_of_user: sessions that name this user
select session_id from tracker.sessions where project_id = $1 and user_id = $2;

-- dropped_until: now, and until when batches of a keyed hash are dropped
select now(), (select until from tracker.tombstones where keyed_hash = $1);

-- sessions_of_sessions: ids of all sessions with rows in it
select session_id from tracker.sessions where project_id = $1;

-- count_sessions: its rows of these sessions (array)
select count(*) from tracker.sessions where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_events: ids of all sessions with rows in it
select distinct session_id from tracker.events where project_id = $1;

-- count_events: its rows of these sessions (array)
select count(*) from tracker.events where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_recordings: ids of all sessions with rows in it
select distinct session_id from tracker.recordings where project_id = $1;

-- count_recordings: its rows of these sessions (array)
select count(*) from tracker.recordings where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_screenshots: ids of all sessions with rows in it
select distinct session_id from tracker.screenshots where project_id = $1;

-- count_screenshots: its rows of these sessions (array)
select count(*) from tracker.screenshots where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_ingest_batches: ids of all sessions with rows in it
select distinct session_id from tracker.ingest_batches where project_id = $1;

-- count_ingest_batches: its rows of these sessions (array)
select count(*) from tracker.ingest_batches where project_id = $1 and session_id = any($2::uuid[]);

-- sessions_of_tickets: ids of all sessions with rows in it
select distinct session_id from tracker.tickets where project_id = $1;

-- count_tickets: its rows of these sessions (array)
select count(*) from tracker.tickets where project_id = $1 and session_id = any($2::uuid[]);
