-- get_time_zone: the time zone of a project
select timezone from tracker.projects where project_id = $1;

-- is_time_zone: whether a time zone has this name; unlike its use in a query this raises no error, which would end the transaction
select exists (select from pg_timezone_names where lower(name) = lower($1));
