-- write: a line
insert into tracker.audit (project_id, actor, action, target, details) values ($1, $2, $3, $4, $5);

-- list_lines: lines of a project, newest first
select audit_id, at, actor, action, target, details from tracker.audit
where project_id = $1 and ($2::bigint is null or audit_id < $2)
order by audit_id desc limit $3;
