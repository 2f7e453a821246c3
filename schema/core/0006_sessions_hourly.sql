-- Hourly numbers of sessions: a rollup on both tiers (a continuous aggregate needs a hypertable).

create table tracker.sessions_hourly_rollup (
    project_id       integer          not null,
    bucket           timestamptz      not null,
    app_id           text,
    device_type      text,
    is_bot           boolean          not null,
    sessions         bigint           not null,
    duration_seconds double precision not null,
    event_count      bigint           not null,
    click_count      bigint           not null,
    error_count      bigint           not null,
    page_count       bigint           not null,
    rage_click_count bigint           not null
);

create index sessions_hourly_rollup_bucket on tracker.sessions_hourly_rollup (project_id, bucket);

-- What everyone reads. The aggregate stands again in storage/sql/rollups.sql, where past hours are computed; the
-- conformance suite holds both to the raw rows.
create view tracker.sessions_hourly as
select * from tracker.sessions_hourly_rollup
where bucket < (select upto from tracker.rollups where name = 'sessions_hourly')
union all
select project_id, date_bin('1 hour', started_at, 'epoch'), app_id, device_type, is_bot, count(*),
       sum(duration_seconds), sum(event_count)::bigint, sum(click_count)::bigint, sum(error_count)::bigint,
       sum(page_count)::bigint, sum(rage_click_count)::bigint
from tracker.sessions
where started_at >= (select upto from tracker.rollups where name = 'sessions_hourly')
group by 1, 2, 3, 4, 5;

alter table tracker.sessions_hourly_rollup enable row level security;
