-- write: a line
insert into tracker.audit (project_id, actor, action, target, details) values ($1, $2, $3, $4, $5);

-- list_lines: lines of a project, newest first, with the e-mails of the accounts that they name and that still exist
select audit_id, at, actor, action, target, details, a.email as actor_email, t.email as target_email
from tracker.audit
left join tracker.users a on actor = 'user ' || a.user_id
left join tracker.users t on target = 'user ' || t.user_id
where project_id = $1 and ($2::bigint is null or audit_id < $2)
order by audit_id desc limit $3;
