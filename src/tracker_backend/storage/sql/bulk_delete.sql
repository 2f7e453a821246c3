-- count_events: of a project's span
select count(*) from tracker.events where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- delete_events: of a project's span
delete from tracker.events where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- count_screenshots: of a project's span
select count(*) from tracker.screenshots where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- delete_screenshots: of a project's span
delete from tracker.screenshots where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- count_recordings: of a project's span
select count(*) from tracker.recordings where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- delete_recordings: of a project's span
delete from tracker.recordings where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- mark_hours: every past hour of it is computed again; of one that got an event meanwhile too, whose own mark a refresh may have used up
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select 'events_hourly', $1, bucket from generate_series($2::timestamptz, $3::timestamptz - interval '1 hour', interval '1 hour') as bucket
where bucket < date_bin('1 hour', now(), 'epoch');
