-- count: sessions of a visitor
select count(*) from tracker.sessions where project_id = $1 and user_id = $2;

-- sessions: sessions of a visitor by start, after a position ($3, $4; $5 how many)
select started_at, session_id from tracker.sessions
where project_id = $1 and user_id = $2 and (started_at, session_id) > ($3::timestamptz, $4::uuid)
order by started_at, session_id limit $5;
