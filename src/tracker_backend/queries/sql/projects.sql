-- get: what a project is called and runs on
select project_id, name, platform from tracker.projects where project_id = $1;
