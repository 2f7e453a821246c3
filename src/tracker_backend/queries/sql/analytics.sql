-- days: the begin of the first whole day from a time on, and of the first day not before another time; by default the last seven days ($1 time zone; from and to each as a moment or as a local time)
with given as (
    select coalesce($2::timestamptz, $3::timestamp at time zone $1) as low,
           coalesce($4::timestamptz, $5::timestamp at time zone $1) as high
),
days as (
    select low, high, (low at time zone $1)::date as first, (high at time zone $1)::date as last,
           (now() at time zone $1)::date + 1 as tomorrow
    from given
),
whole as (
    select
        first + case when first::timestamp at time zone $1 < low then 1 else 0 end as first,
        coalesce(last + case when last::timestamp at time zone $1 < high then 1 else 0 end, tomorrow) as last
    from days
)
select coalesce(first, last - 7)::timestamp at time zone $1, last::timestamp at time zone $1 from whole;

-- daily: a session belongs to the day on which it began; its events are those sent and those recorded. Of too many rows those with most sessions ($1 time zone, $2 project, $3 and $4 from and to, $5 app or null, $6 how many rows, $7 bots, people, or null)
select * from (
    select
        (started_at at time zone $1)::date as date,
        app_id,
        count(*) as total_sessions,
        count(distinct user_id) as unique_users,
        round(avg(duration_seconds)::numeric, 3)::double precision as avg_duration,
        sum(error_count)::bigint as total_errors,
        sum(click_count)::bigint as total_clicks,
        round(avg(native_event_count + recorded_event_count), 3)::double precision as avg_events_per_session,
        count(*) over () > $6::bigint as truncated
    from tracker.sessions
    where project_id = $2 and started_at >= $3 and started_at < $4 and ($5::text is null or app_id = $5)
        and ($7::boolean is null or is_bot = $7)
    group by 1, 2
    order by total_sessions desc, 1, 2
    limit $6
) as largest
order by date, app_id nulls first;
