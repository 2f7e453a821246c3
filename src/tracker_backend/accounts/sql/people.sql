-- find_account: an account by its e-mail, which is stored in lower case
select user_id, email, password_hash from tracker.users where email = $1;

-- get_account: an account by its id
select user_id, email, password_hash from tracker.users where user_id = $1;

-- insert_account: a new account; no row if the e-mail has one already
insert into tracker.users (email, password_hash) values ($1, $2)
on conflict do nothing
returning user_id;

-- has_accounts: whether there is any account
select exists (select from tracker.users);

-- set_password: replace the hash unless it has changed since it was checked (user, old hash, new hash)
update tracker.users set password_hash = $3 where user_id = $1 and password_hash = $2
returning user_id;

-- list_accounts: all accounts with their projects and roles
select u.user_id, u.email, u.created_at,
    array(select project_id from tracker.members m where m.user_id = u.user_id order by project_id) as projects,
    array(select role from tracker.members m where m.user_id = u.user_id order by project_id) as roles
from tracker.users u order by u.user_id;

-- list_projects: the projects of a person
select project_id, name, role from tracker.members join tracker.projects using (project_id)
where user_id = $1 and deleted_at is null order by project_id;

-- list_members: the members of a project with their roles, in the order in which they joined
select user_id, email, role, m.created_at from tracker.members m join tracker.users using (user_id)
where m.project_id = $1 order by m.created_at, user_id;

-- find_member: one member of a project
select user_id, email, role, m.created_at from tracker.members m join tracker.users using (user_id)
where m.project_id = $1 and user_id = $2;

-- lock_project: lock the list of members until the transaction ends; batches are not blocked
select project_id from tracker.projects where project_id = $1 for no key update;

-- count_other_owners: the number of other owners of a project
select count(*) from tracker.members where project_id = $1 and role = 'owner' and user_id <> $2;

-- set_role: the role of a member
update tracker.members set role = $3 where project_id = $1 and user_id = $2;

-- delete_member: a membership; the account stays
delete from tracker.members where project_id = $1 and user_id = $2;

-- list_memberships: the projects of a person, in the order in which they are locked
select project_id from tracker.members where user_id = $1 order by project_id;

-- delete_links: one-time links that only this e-mail can use
delete from tracker.links where email = $1;

-- delete_account: an account with its memberships and logins
delete from tracker.users where user_id = $1;

-- join: a membership by invitation; of two roles the one with more rights stays
insert into tracker.members (project_id, user_id, role) values ($1, $2, $3)
on conflict (project_id, user_id) do update set role = excluded.role
where array_position(array['viewer', 'editor', 'owner'], members.role)
    < array_position(array['viewer', 'editor', 'owner'], excluded.role);

-- join_all_projects: make the first owner a member of all projects
insert into tracker.members (project_id, user_id, role) select project_id, $1, 'owner' from tracker.projects where deleted_at is null
on conflict do nothing;

-- write_audit: a line in the audit log of each project of a person, or one without a project for a person without projects (user, actor, action, target)
insert into tracker.audit (project_id, actor, action, target)
select project_id, $2, $3, $4 from tracker.members where user_id = $1
union all
select null, $2, $3, $4 where not exists (select from tracker.members where user_id = $1);
