-- find_login: the person who is logged in with this token, with their roles
select u.user_id, u.email, l.expires_at,
    array(select project_id from tracker.members m join tracker.projects p using (project_id)
        where m.user_id = u.user_id and p.deleted_at is null order by project_id) as projects,
    array(select role from tracker.members m join tracker.projects p using (project_id)
        where m.user_id = u.user_id and p.deleted_at is null order by project_id) as roles
from tracker.logins l join tracker.users u using (user_id)
where l.token_sha256 = $1 and l.expires_at > now();

-- log_in: a login by password, unless the password was changed meanwhile (token, user, its hash, end)
insert into tracker.logins (token_sha256, user_id, expires_at)
select $1, user_id, $4 from tracker.users where user_id = $2 and password_hash = $3 for share
returning user_id;

-- end_logins: all logins of a person except one
delete from tracker.logins where user_id = $1 and token_sha256 <> $2;

-- delete_login: one login
delete from tracker.logins where token_sha256 = $1 returning user_id;
