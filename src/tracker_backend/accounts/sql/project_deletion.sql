-- lock_projects: lock all projects, so that two concurrent deletions do not delete the last two
select project_id, name from tracker.projects where deleted_at is null order by project_id for update;

-- mark_deleted: hide a project, and remove its name
update tracker.projects
set deleted_at = now(), archived_at = coalesce(archived_at, now()), name = '', settings = '{}'
where project_id = $1;

-- delete_tickets: unused tickets; open streams end with the key or login behind them
delete from tracker.tickets where project_id = $1;

-- delete_links: open invitations
delete from tracker.links where project_id = $1;

-- delete_members: all members
delete from tracker.members where project_id = $1;

-- delete_grants: all grants of analysts
delete from tracker.analyst_grants where project_id = $1;

-- delete_keys: all keys, valid or not
delete from tracker.api_keys where project_id = $1;
