-- count_sessions: how many sessions began in a time range ($2, $3), and the mean of their durations in seconds
select count(*), coalesce(round(avg(duration_seconds)::numeric, 3), 0)::double precision
from tracker.sessions where project_id = $1 and started_at >= $2 and started_at < $3;
