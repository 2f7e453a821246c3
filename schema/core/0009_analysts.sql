-- Analysts: logins of PostgreSQL that read views of the projects granted to them, and nothing else. Both tiers.

-- Both must be the login's: `role_id` tells it from a later role of the same name, `role` from one that has its number in
-- another cluster, where this was restored.
create table tracker.analyst_grants (
    role_id    oid         not null,
    project_id integer     not null references tracker.projects on delete cascade,
    role       text        not null,
    granted_at timestamptz not null default now(),
    primary key (role_id, project_id)
);

alter table tracker.analyst_grants enable row level security;

-- Makes the schema, the views and the group role, as far as they are missing and this role may, and returns what a
-- superuser has to run first. Called here and by `tracker-backend analyst`: rights may be given later.
create function tracker.open_to_analysts() returns text[]
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    missing text[] := '{}';
    -- An array and not a join: so it goes down into aggregates, indexes and segments of the columnstore. session_user,
    -- which `set role` leaves as it is.
    granted constant text := 'project_id = any (array(select g.project_id from tracker.analyst_grants g
        where g.role = session_user::text
            and g.role_id = pg_catalog.to_regrole(pg_catalog.quote_ident(session_user::text))::oid))';
begin
    if to_regnamespace('tracker_analyst') is null then
        begin
            create schema tracker_analyst;
        exception when insufficient_privilege then
            missing := missing || format('create schema tracker_analyst authorization %I', current_user);
        end;
    end if;
    if to_regrole('tracker_analyst') is null then
        begin
            create role tracker_analyst nologin;
        exception
            when duplicate_object or unique_violation then null;  -- roles are the cluster's: another database was faster
            when insufficient_privilege then
                missing := missing || 'create role tracker_analyst nologin'::text;
        end;
    end if;
    if to_regnamespace('tracker_analyst') is not null then
        revoke all on schema tracker_analyst from public;
        -- security_barrier: a function of the reader's own sees no row before `granted` does.
        execute 'create or replace view tracker_analyst.sessions with (security_barrier) as
            select project_id, session_id, client_session_id, user_id, started_at, ended_at, last_activity_at, first_at,
                last_at, duration_seconds, page_url, referrer, user_agent, device_type, browser, os, language,
                screen_width, screen_height, viewport_width, viewport_height, app_id, ticket_id, metadata,
                event_count, click_count, error_count, page_count, rage_click_count, screenshot_count, has_recording,
                is_bot, bot_reason
            from tracker.sessions where ' || granted;
        execute 'create or replace view tracker_analyst.events with (security_barrier) as
            select event_id, project_id, session_id, timestamp, source, event_type, target_element, target_selector,
                target_tag, target_id, target_class, page_url, page_host, page_path, viewport_x, viewport_y,
                screen_x, screen_y, scroll_x, scroll_y, input_value, input_masked, key_pressed, mouse_button,
                click_count, event_data
            from tracker.events where ' || granted;
        execute 'create or replace view tracker_analyst.events_hourly with (security_barrier) as
            select project_id, bucket, event_type, page_host, page_path, count, sessions
            from tracker.events_hourly where ' || granted;
        execute 'create or replace view tracker_analyst.sessions_hourly with (security_barrier) as
            select project_id, bucket, app_id, device_type, is_bot, sessions, duration_seconds, event_count,
                click_count, error_count, page_count, rage_click_count
            from tracker.sessions_hourly where ' || granted;
    end if;
    if missing = '{}' then
        grant usage on schema tracker_analyst to tracker_analyst;
        grant select on tracker_analyst.sessions, tracker_analyst.events, tracker_analyst.events_hourly,
            tracker_analyst.sessions_hourly to tracker_analyst;
    end if;
    return missing;
end $$;

revoke all on function tracker.open_to_analysts() from public;

select tracker.open_to_analysts();
