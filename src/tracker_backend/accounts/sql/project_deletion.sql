-- lock_projects: all that are there, so that of two deletions at once one sees the other
select project_id, name from tracker.projects where deleted_at is null order by project_id for update;

-- mark_deleted: nobody sees it from now on, and its name is forgotten
update tracker.projects
set deleted_at = now(), archived_at = coalesce(archived_at, now()), name = '', settings = '{}'
where project_id = $1;

-- delete_tickets: who watches by one is asked for the key or login behind it
delete from tracker.tickets where project_id = $1;

-- delete_links: invitations that nobody used
delete from tracker.links where project_id = $1;

-- delete_members: of the project
delete from tracker.members where project_id = $1;

-- delete_grants: what analysts may read
delete from tracker.analyst_grants where project_id = $1;

-- delete_keys: valid or not
delete from tracker.api_keys where project_id = $1;
