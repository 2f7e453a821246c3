-- get: what a project is called and runs on, and what it decides
select project_id, name, platform, timezone, created_at, archived_at, settings
from tracker.projects where project_id = $1 and deleted_at is null;

-- get_settings: what a project decides, and whether it takes data
select settings, archived_at is not null from tracker.projects where project_id = $1;

-- list_projects: this one, or all where it is null, oldest first
select project_id, name, platform, timezone, created_at, archived_at from tracker.projects
where ($1::int is null or project_id = $1) and deleted_at is null order by project_id;

-- list_persons: a person's projects with their role in each, oldest first
select project_id, name, platform, timezone, p.created_at, archived_at, role
from tracker.members m join tracker.projects p using (project_id)
where m.user_id = $1 and deleted_at is null order by project_id;

-- insert: a new project
insert into tracker.projects (name, platform, timezone) values ($1, $2, $3) returning project_id;

-- lock: nobody else changes it meanwhile
select name, platform, timezone, archived_at, settings from tracker.projects
where project_id = $1 and deleted_at is null for update;

-- change: everything of it that people set
update tracker.projects set name = $2, platform = $3, timezone = $4, settings = $5 where project_id = $1;

-- set_archived: it takes no data from now on, or does again
update tracker.projects set archived_at = case when $2 then now() end where project_id = $1;

-- is_owned: whether any project has an owner
select exists (select from tracker.members where role = 'owner');

-- insert_owner: who makes a project owns it
insert into tracker.members (project_id, user_id, role) values ($1, $2, 'owner');
