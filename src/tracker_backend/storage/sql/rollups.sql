-- lock_rollup: one refresh of a rollup at a time; returns the watermark and the hour to reach: it ended two minutes ago, so no transaction can still write to it
select upto, greatest(upto, date_bin('1 hour', now() - interval '2 minutes', 'epoch')) as target, kept_from
from tracker.rollups where name = $1 for update;

-- take_hours: the hours to compute again, removed from the list
delete from tracker.hours_to_refresh where rollup = $1 returning project_id, bucket;

-- move_rollup: from now on, hours before this are read from the rollup
update tracker.rollups set upto = $2 where name = $1;

-- freeze_hours: hours before this lose their rows now, so their numbers are final
update tracker.rollups set kept_from = greatest(kept_from, $2) where name = $1;

-- clear_events_hours: delete these hours of these projects (arrays)
delete from tracker.events_hourly_rollup r
using unnest($1::int[], $2::timestamptz[]) as h (project_id, bucket)
where r.project_id = h.project_id and r.bucket = h.bucket;

-- compute_events_hours: compute these hours from the rows
insert into tracker.events_hourly_rollup
select e.project_id, h.bucket, event_type, page_host, page_path, count(*), count(distinct session_id), is_bot
from unnest($1::int[], $2::timestamptz[]) as h (project_id, bucket)
join tracker.events e on e.project_id = h.project_id
    and e.timestamp >= h.bucket and e.timestamp < h.bucket + interval '1 hour'
group by 1, 2, 3, 4, 5, 8;

-- extend_events_hours: compute the hours from the watermark to the target, for all projects
insert into tracker.events_hourly_rollup
select project_id, date_bin('1 hour', timestamp, 'epoch'), event_type, page_host, page_path,
       count(*), count(distinct session_id), is_bot
from tracker.events
where timestamp >= $1 and timestamp < $2
group by 1, 2, 3, 4, 5, 8;

-- clear_sessions_hours: delete these hours of these projects (arrays)
delete from tracker.sessions_hourly_rollup r
using unnest($1::int[], $2::timestamptz[]) as h (project_id, bucket)
where r.project_id = h.project_id and r.bucket = h.bucket;

-- compute_sessions_hours: compute these hours from the sessions
insert into tracker.sessions_hourly_rollup
select s.project_id, h.bucket, app_id, device_type, is_bot, count(*), sum(duration_seconds), sum(event_count),
       sum(click_count), sum(error_count), sum(page_count), sum(rage_click_count)
from unnest($1::int[], $2::timestamptz[]) as h (project_id, bucket)
join tracker.sessions s on s.project_id = h.project_id
    and s.started_at >= h.bucket and s.started_at < h.bucket + interval '1 hour'
group by 1, 2, 3, 4, 5;

-- extend_sessions_hours: compute the hours from the watermark to the target, for all projects
insert into tracker.sessions_hourly_rollup
select project_id, date_bin('1 hour', started_at, 'epoch'), app_id, device_type, is_bot, count(*),
       sum(duration_seconds), sum(event_count), sum(click_count), sum(error_count), sum(page_count),
       sum(rage_click_count)
from tracker.sessions
where started_at >= $1 and started_at < $2
group by 1, 2, 3, 4, 5;
