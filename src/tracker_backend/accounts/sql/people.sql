-- find_account: by e-mail, which is stored in lower case
select user_id, email, password_hash from tracker.users where email = $1;

-- get_account: by number
select user_id, email, password_hash from tracker.users where user_id = $1;

-- insert_account: none when somebody has this e-mail
insert into tracker.users (email, password_hash) values ($1, $2)
on conflict do nothing
returning user_id;

-- has_accounts: whether anybody has one
select exists (select from tracker.users);

-- set_password: unless it has changed since it was checked (user, old hash, new hash)
update tracker.users set password_hash = $3 where user_id = $1 and password_hash = $2
returning user_id;

-- list_accounts: everybody, with the projects and roles
select u.user_id, u.email, u.created_at,
    array(select project_id from tracker.members m where m.user_id = u.user_id order by project_id) as projects,
    array(select role from tracker.members m where m.user_id = u.user_id order by project_id) as roles
from tracker.users u order by u.user_id;

-- list_projects: a person's
select project_id, name, role from tracker.members join tracker.projects using (project_id)
where user_id = $1 and deleted_at is null order by project_id;

-- list_members: who may do what in a project, in the order in which they came
select user_id, email, role, m.created_at from tracker.members m join tracker.users using (user_id)
where m.project_id = $1 order by m.created_at, user_id;

-- find_member: one of them
select user_id, email, role, m.created_at from tracker.members m join tracker.users using (user_id)
where m.project_id = $1 and user_id = $2;

-- lock_project: until the transaction ends nobody else changes who is in it; batches go on
select project_id from tracker.projects where project_id = $1 for no key update;

-- count_other_owners: owners of a project beside this one
select count(*) from tracker.members where project_id = $1 and role = 'owner' and user_id <> $2;

-- set_role: of a member
update tracker.members set role = $3 where project_id = $1 and user_id = $2;

-- delete_member: the account stays
delete from tracker.members where project_id = $1 and user_id = $2;

-- list_memberships: the projects that a person is in, in the order in which they are locked
select project_id from tracker.members where user_id = $1 order by project_id;

-- delete_links: that only this e-mail may use
delete from tracker.links where email = $1;

-- delete_account: with its memberships and logins
delete from tracker.users where user_id = $1;

-- join: a membership by invitation; of one who is a member already the stronger role stays
insert into tracker.members (project_id, user_id, role) values ($1, $2, $3)
on conflict (project_id, user_id) do update set role = excluded.role
where array_position(array['viewer', 'editor', 'owner'], members.role)
    < array_position(array['viewer', 'editor', 'owner'], excluded.role);

-- join_all: the first owner, in every project that there is
insert into tracker.members (project_id, user_id, role) select project_id, $1, 'owner' from tracker.projects where deleted_at is null
on conflict do nothing;

-- note: what is no project's: a line in each project of a person, one without a project for all others (user, actor, action, target)
insert into tracker.audit (project_id, actor, action, target)
select project_id, $2, $3, $4 from tracker.members where user_id = $1
union all
select null, $2, $3, $4 where not exists (select from tracker.members where user_id = $1);
