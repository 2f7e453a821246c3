-- count: sessions of a visitor
select count(*) from tracker.sessions where project_id = $1 and user_id = $2;

-- sessions: of a visitor in order, after a position ($3, $4), so many ($5)
select started_at, session_id from tracker.sessions
where project_id = $1 and user_id = $2 and (started_at, session_id) > ($3::timestamptz, $4::uuid)
order by started_at, session_id limit $5;
