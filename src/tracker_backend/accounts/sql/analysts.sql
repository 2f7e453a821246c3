-- open: make what is missing for analysts; what a superuser has to run first comes back
select tracker.open_to_analysts();

-- find: a role that may be an analyst: its number, whether `analyst create` made it, whether it is a member of the group, and whether it may do more than an analyst ($1 name, $2 the mark of those that we made)
select r.oid as role_id, shobj_description(r.oid, 'pg_authid') is not distinct from $2 as is_ours,
    exists (
        select from pg_auth_members where member = r.oid and roleid = to_regrole('tracker_analyst')
    ) as is_member,
    r.rolsuper or r.rolbypassrls or r.rolcreaterole or pg_has_role(r.oid, current_user, 'member')
        or pg_has_role(r.oid, 'pg_read_all_data', 'member') as is_mighty,
    r.rolcanlogin as may_log_in
from pg_roles r where r.rolname = $1;

-- create: statements that make a login ($1 name, $2 the password's verifier, $3 the mark of those that we made)
select array[
    format('create role %I login connection limit 10 password %L in role tracker_analyst', $1::text, $2::text),
    format('alter role %I set search_path = tracker_analyst, public', $1),
    format('alter role %I set default_transaction_read_only = on', $1),
    format('alter role %I set statement_timeout = ''1min''', $1),
    format('comment on role %I is %L', $1, $3::text)
];

-- join: the statement that makes a role a member of the group
select format('grant tracker_analyst to %I', $1::text);

-- drop: the statement that drops a role
select format('drop role %I', $1::text);

-- grant: a project to a role; nothing comes back if it had it ($1 role, $2 project, $3 its name)
insert into tracker.analyst_grants (role_id, project_id, role) values ($1, $2, $3)
on conflict do nothing
returning project_id;

-- revoke: one project, or all of them ($1 role's name, $2 project), also of roles that are gone
delete from tracker.analyst_grants where role = $1 and ($2::int is null or project_id = $2)
returning project_id;

-- list_grants: who reads which project, and whether that role is still there
select g.role, g.project_id, p.name as project, g.granted_at, r.oid is null as is_gone
from tracker.analyst_grants g join tracker.projects p using (project_id)
left join pg_roles r on r.oid = g.role_id and r.rolname = g.role
order by g.role, g.project_id;
