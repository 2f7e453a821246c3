-- total: number of sessions of a project, from the counts that writers keep
select coalesce(sum(sessions), 0)::bigint from tracker.session_totals where project_id = $1;

-- get_first_page: the first page of a session
select page_url from tracker.sessions where project_id = $1 and session_id = $2;

-- get_last_page: the last known page of a session
select coalesce(last_page_url, page_url) from tracker.sessions where project_id = $1 and session_id = $2;

-- activity: number of active sessions, and of events of the last minute
select
    (select count(*) from tracker.sessions
     where last_activity_at > now() - interval '5 minutes' and ended_at is null),
    (select coalesce(sum(events), 0)::bigint from tracker.ingest_batches where received_at > now() - interval '1 minute');
