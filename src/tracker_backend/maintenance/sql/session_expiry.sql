-- list_expired: sessions past their time to live, after a position; the version of a row changes when it is written to ($1 to $3 position, $4 how many)
select expires_at, project_id, session_id, xmin::text as version from tracker.sessions
where expires_at < now() and (expires_at, project_id, session_id) > ($1::timestamptz, $2::int, $3::uuid)
order by expires_at, project_id, session_id
limit $4;
