-- span: sessions that began from one time to before another, and the mean of their durations in seconds ($2, $3 the times)
select count(*), coalesce(round(avg(duration_seconds)::numeric, 3), 0)::double precision
from tracker.sessions where project_id = $1 and started_at >= $2 and started_at < $3;
