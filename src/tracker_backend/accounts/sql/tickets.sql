-- insert_ticket: a ticket by the hash of its token, valid for so many seconds
insert into tracker.tickets (token_sha256, project_id, session_id, key_sha256, login_sha256, expires_at)
values ($1, $2, $3, $4, $5, now() + $6 * interval '1 second')
returning expires_at;

-- use_ticket: remove a ticket and return it; of two concurrent calls only one gets it
delete from tracker.tickets where token_sha256 = $1
returning project_id, session_id, key_sha256, login_sha256, expires_at > now();
