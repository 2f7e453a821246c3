-- Sessions and what keeps batches from being stored twice. Both tiers.

-- Counters are kept by source, so that a click that was both sent and recorded is not counted twice.
-- `recorded_event_count` counts rrweb events, `last_page_url` is the last page among them. fillfactor leaves room for updates in place: none of the counted columns is indexed.
create table tracker.sessions (
    project_id              integer     not null,
    session_id              uuid        not null,
    client_session_id       text,
    user_id                 text,
    user_email              text,
    fingerprint             text,
    started_at              timestamptz not null,
    ended_at                timestamptz,
    last_activity_at        timestamptz not null,
    first_at                timestamptz,
    last_at                 timestamptz,
    page_url                text,
    referrer                text,
    user_agent              text,
    screen_width            integer,
    screen_height           integer,
    viewport_width          integer,
    viewport_height         integer,
    device_type             text,
    browser                 text,
    os                      text,
    language                text,
    app_id                  text,
    ticket_id               text,
    metadata                jsonb       not null default '{}',
    native_event_count      bigint      not null default 0,
    native_click_count      bigint      not null default 0,
    native_error_count      bigint      not null default 0,
    native_page_count       bigint      not null default 0,
    native_rage_click_count bigint      not null default 0,
    rrweb_event_count       bigint      not null default 0,
    rrweb_click_count       bigint      not null default 0,
    rrweb_error_count       bigint      not null default 0,
    rrweb_page_count        bigint      not null default 0,
    rrweb_rage_click_count  bigint      not null default 0,
    screenshot_count        bigint      not null default 0,
    recorded_event_count    bigint      not null default 0,
    last_page_url           text,
    client_stats            jsonb,
    has_recording           boolean     not null generated always as (recorded_event_count > 0) stored,
    is_bot                  boolean     not null default false,
    bot_reason              text,
    clock_offset_ms         bigint,
    ttl_hours               integer,
    expires_at              timestamptz,
    -- A kind of event that the session's own events tell is taken from them, else from its recording: never from both.
    event_count      bigint generated always as (
        native_event_count
        + case when native_click_count > 0 then 0 else rrweb_click_count end
        + case when native_error_count > 0 then 0 else rrweb_error_count end
        + case when native_page_count > 0 then 0 else rrweb_page_count end
        + case when native_rage_click_count > 0 then 0 else rrweb_rage_click_count end
    ) stored,
    click_count      bigint generated always as
        (case when native_click_count > 0 then native_click_count else rrweb_click_count end) stored,
    error_count      bigint generated always as
        (case when native_error_count > 0 then native_error_count else rrweb_error_count end) stored,
    page_count       bigint generated always as
        (case when native_page_count > 0 then native_page_count else rrweb_page_count end) stored,
    rage_click_count bigint generated always as
        (case when native_rage_click_count > 0 then native_rage_click_count else rrweb_rage_click_count end) stored,
    duration_seconds double precision generated always as
        (greatest(0, extract(epoch from coalesce(ended_at, last_at, started_at) - least(started_at, first_at)))) stored,
    primary key (project_id, session_id)
) with (fillfactor = 80);

create index sessions_started on tracker.sessions (project_id, started_at desc, session_id desc);
create index sessions_user on tracker.sessions (project_id, user_id) where user_id is not null;
-- Which are active now. A block range index leaves updates in place (from PostgreSQL 16 on).
create index sessions_activity on tracker.sessions using brin (last_activity_at) with (autosummarize = on);
create index sessions_expires on tracker.sessions (expires_at) where expires_at is not null;

-- One row a server process that writes, so that counting a new session never makes two processes wait for each other.
create table tracker.session_totals (
    project_id integer  not null,
    node       smallint not null,
    sessions   bigint   not null,
    primary key (project_id, node)
);

-- Who is here was stored. `ref` is what the first answer named (a screenshot's id), so that a repeat gets the same.
create table tracker.ingest_batches (
    project_id  integer     not null,
    session_id  uuid        not null,
    batch_id    uuid        not null,
    received_at timestamptz not null default now(),
    events      integer     not null,
    ref         bigint,
    primary key (project_id, session_id, batch_id)
);

-- Swept by age; rows arrive in that order, so a block range index is enough and costs writers nothing.
create index ingest_batches_received on tracker.ingest_batches using brin (received_at);

alter table tracker.sessions enable row level security;
alter table tracker.session_totals enable row level security;
alter table tracker.ingest_batches enable row level security;
