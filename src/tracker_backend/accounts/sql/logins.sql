-- find_login: who is logged in with this cookie, and what they may do where
select u.user_id, u.email, l.expires_at,
    array(select project_id from tracker.members m join tracker.projects p using (project_id)
        where m.user_id = u.user_id and p.deleted_at is null order by project_id) as projects,
    array(select role from tracker.members m join tracker.projects p using (project_id)
        where m.user_id = u.user_id and p.deleted_at is null order by project_id) as roles
from tracker.logins l join tracker.users u using (user_id)
where l.token_sha256 = $1 and l.expires_at > now();

-- log_in: a browser that has logged in with a password, unless that was changed meanwhile (token, user, its hash, end)
insert into tracker.logins (token_sha256, user_id, expires_at)
select $1, user_id, $4 from tracker.users where user_id = $2 and password_hash = $3 for share
returning user_id;

-- end_logins: all of a person but one
delete from tracker.logins where user_id = $1 and token_sha256 <> $2;

-- delete_login: logged out
delete from tracker.logins where token_sha256 = $1 returning user_id;
