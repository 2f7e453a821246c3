-- count_events: rows of a project in a time range
select count(*) from tracker.events where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- delete_events: rows of a project in a time range
delete from tracker.events where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- count_screenshots: rows of a project in a time range
select count(*) from tracker.screenshots where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- delete_screenshots: rows of a project in a time range
delete from tracker.screenshots where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- count_recordings: rows of a project in a time range
select count(*) from tracker.recordings where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- delete_recordings: rows of a project in a time range
delete from tracker.recordings where project_id = $1 and timestamp >= $2 and timestamp < $3;

-- mark_hours: compute every past hour of the range again, also an hour that got an event meanwhile: a refresh may have used its entry already
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select 'events_hourly', $1, bucket from generate_series($2::timestamptz, $3::timestamptz - interval '1 hour', interval '1 hour') as bucket
where bucket < date_bin('1 hour', now(), 'epoch');
