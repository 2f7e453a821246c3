-- create_views: create what analysts need and is missing; returns the statements that a superuser must run first
select tracker.open_to_analysts();

-- find_role: a role: its id, whether `analyst create` created it, whether it is in the group, whether it has more rights than an analyst ($1 name, $2 the comment on roles that we created)
select r.oid as role_id, shobj_description(r.oid, 'pg_authid') is not distinct from $2 as is_ours,
    exists (
        select from pg_auth_members where member = r.oid and roleid = to_regrole('tracker_analyst')
    ) as is_member,
    r.rolsuper or r.rolbypassrls or r.rolcreaterole or pg_has_role(r.oid, current_user, 'member')
        or pg_has_role(r.oid, 'pg_read_all_data', 'member') as is_mighty,
    r.rolcanlogin as may_log_in
from pg_roles r where r.rolname = $1;

-- create: statements that create a login ($1 name, $2 the verifier of its password, $3 the comment on roles that we created)
select array[
    format('create role %I login connection limit 10 password %L in role tracker_analyst', $1::text, $2::text),
    format('alter role %I set search_path = tracker_analyst, public', $1),
    format('alter role %I set default_transaction_read_only = on', $1),
    format('alter role %I set statement_timeout = ''1min''', $1),
    format('comment on role %I is %L', $1, $3::text)
];

-- join: the statement that adds a role to the group
select format('grant tracker_analyst to %I', $1::text);

-- drop: the statement that drops a role
select format('drop role %I', $1::text);

-- grant: let a role read a project; no row if it could already ($1 role, $2 project, $3 its name)
insert into tracker.analyst_grants (role_id, project_id, role) values ($1, $2, $3)
on conflict do nothing
returning project_id;

-- revoke: one grant, or all of a role ($1 name of the role, $2 project or null), also of roles that were dropped
delete from tracker.analyst_grants where role = $1 and ($2::int is null or project_id = $2)
returning project_id;

-- list_grants: all grants, and whether the role still exists
select g.role, g.project_id, p.name as project, g.granted_at, r.oid is null as is_gone
from tracker.analyst_grants g join tracker.projects p using (project_id)
left join pg_roles r on r.oid = g.role_id and r.rolname = g.role
order by g.role, g.project_id;
