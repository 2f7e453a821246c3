-- find_login: who is logged in with this cookie, and what they may do where
select u.user_id, u.email, l.expires_at,
    array(select project_id from tracker.members m where m.user_id = u.user_id order by project_id) as projects,
    array(select role from tracker.members m where m.user_id = u.user_id order by project_id) as roles
from tracker.logins l join tracker.users u using (user_id)
where l.token_sha256 = $1 and l.expires_at > now();

-- insert_login: a browser that has logged in
insert into tracker.logins (token_sha256, user_id, expires_at) values ($1, $2, $3);

-- delete_login: logged out
delete from tracker.logins where token_sha256 = $1 returning user_id;

-- project_settings: what a project decides, and whether it takes data
select settings, archived_at is not null from tracker.projects where project_id = $1;
