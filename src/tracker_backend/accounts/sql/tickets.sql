-- insert_ticket: by its hash, for so many seconds
insert into tracker.tickets (token_sha256, project_id, session_id, key_sha256, login_sha256, expires_at)
values ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')
returning expires_at;

-- use_ticket: a ticket is used by its removal, which one statement does for one caller only
delete from tracker.tickets where token_sha256 = $1
returning project_id, session_id, key_sha256, login_sha256, expires_at > now();
