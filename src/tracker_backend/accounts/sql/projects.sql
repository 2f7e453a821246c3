-- get: a project with its settings
select project_id, name, platform, timezone, created_at, archived_at, settings
from tracker.projects where project_id = $1 and deleted_at is null;

-- get_settings: the settings of a project, and whether it is archived
select settings, archived_at is not null from tracker.projects where project_id = $1;

-- list_projects: this project, or all projects where it is null, oldest first
select project_id, name, platform, timezone, created_at, archived_at from tracker.projects
where ($1::int is null or project_id = $1) and deleted_at is null order by project_id;

-- list_projects_of: the projects of a person with their role in each, oldest first
select project_id, name, platform, timezone, p.created_at, archived_at, role
from tracker.members m join tracker.projects p using (project_id)
where m.user_id = $1 and deleted_at is null order by project_id;

-- insert: a new project
insert into tracker.projects (name, platform, timezone) values ($1, $2, $3) returning project_id;

-- lock: lock a project against other changes
select name, platform, timezone, archived_at, settings from tracker.projects
where project_id = $1 and deleted_at is null for update;

-- change: replace everything that people can set
update tracker.projects set name = $2, platform = $3, timezone = $4, settings = $5 where project_id = $1;

-- set_archived: archive a project, or restore it
update tracker.projects set archived_at = case when $2 then now() end where project_id = $1;

-- has_owner: whether any project has an owner
select exists (select from tracker.members where role = 'owner');

-- insert_owner: the creator of a project owns it
insert into tracker.members (project_id, user_id, role) values ($1, $2, 'owner');

-- lock_names: lock the names of all projects until the transaction ends
select pg_advisory_xact_lock(hashtextextended('tracker.projects.name', 0));

-- is_taken: whether another project than $2 has this name, in whichever case
select exists (
    select from tracker.projects
    where lower(trim(name)) = lower(trim($1)) and deleted_at is null and project_id is distinct from $2::int
);
