-- columns: of a session, in the order of queries.sessions.Session
session_id, client_session_id, user_id, user_email, fingerprint, started_at, ended_at, last_activity_at, first_at,
last_at, duration_seconds, (ended_at is null and last_activity_at > now() - interval '5 minutes') as is_active,
page_url, referrer, user_agent, screen_width, screen_height, viewport_width, viewport_height, device_type, browser, os,
language, app_id, ticket_id, metadata, event_count, click_count, error_count, page_count, rage_click_count,
screenshot_count, native_event_count, native_click_count, native_error_count, native_page_count,
native_rage_click_count, rrweb_event_count, rrweb_click_count, rrweb_error_count, rrweb_page_count,
rrweb_rage_click_count, recorded_event_count, last_page_url, client_stats, has_recording, is_bot, bot_reason, client_address, clock_offset_ms, ttl_hours, expires_at

-- total: sessions of a project, from the counts that writers keep
select coalesce(sum(sessions), 0)::bigint from tracker.session_totals where project_id = $1;

-- bounds: when a session's rows were, so that only their chunks are read, and how many events there are
select coalesce(first_at, started_at), coalesce(last_at, started_at), event_count, coalesce(clock_offset_ms, 0) * 1000
from tracker.sessions where project_id = $1 and session_id = $2;

-- page_of: the page on which a session was last known to begin
select page_url from tracker.sessions where project_id = $1 and session_id = $2;

-- last_page_of: the page on which a session was last known to be
select coalesce(last_page_url, page_url) from tracker.sessions where project_id = $1 and session_id = $2;

-- activity: sessions active now, and events of the last minute
select
    (select count(*) from tracker.sessions
     where last_activity_at > now() - interval '5 minutes' and ended_at is null),
    (select coalesce(sum(events), 0)::bigint from tracker.ingest_batches where received_at > now() - interval '1 minute');
