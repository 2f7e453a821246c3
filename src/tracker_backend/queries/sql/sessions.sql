-- total: sessions of a project, from the counts that writers keep
select coalesce(sum(sessions), 0)::bigint from tracker.session_totals where project_id = $1;

-- page_of: the page on which a session was last known to begin
select page_url from tracker.sessions where project_id = $1 and session_id = $2;

-- last_page_of: the page on which a session was last known to be
select coalesce(last_page_url, page_url) from tracker.sessions where project_id = $1 and session_id = $2;

-- activity: sessions active now, and events of the last minute
select
    (select count(*) from tracker.sessions
     where last_activity_at > now() - interval '5 minutes' and ended_at is null),
    (select coalesce(sum(events), 0)::bigint from tracker.ingest_batches where received_at > now() - interval '1 minute');
