-- Times and clock offsets that readers can compute with, and sessions that begin with their first event. Both tiers.

-- Offsets of more than 100 years are no clock's: reading such a session overflowed a bigint.
update tracker.sessions set clock_offset_ms = null where clock_offset_ms not between -3162240000000 and 3162240000000;

-- Times of recordings are at most 10^18 microseconds away from 1970, as `times.py` reads them now.
update tracker.recordings
set client_first = greatest(-1000000000000000000, least(1000000000000000000, client_first)),
    client_last = greatest(-1000000000000000000, least(1000000000000000000, client_last))
where client_first not between -1000000000000000000 and 1000000000000000000
    or client_last not between -1000000000000000000 and 1000000000000000000;

-- Ten years, as for all other sessions: imports could ask for an end beyond the calendar.
update tracker.sessions set ttl_hours = 87600, expires_at = last_activity_at + interval '87600 hours'
where ttl_hours not between 1 and 87600;

-- The last write moved the start to an earlier event, from here: both hours are computed again.
alter table tracker.sessions add column moved_from timestamptz;

with early as materialized (
    select s.project_id, s.session_id, s.started_at
    from tracker.sessions s, tracker.rollups r
    where r.name = 'sessions_hourly' and s.first_at < s.started_at and s.first_at >= r.kept_from
),
moved as (
    update tracker.sessions s set started_at = s.first_at from early e
    where s.project_id = e.project_id and s.session_id = e.session_id
    returning s.project_id, s.started_at, e.started_at as moved_from
)
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'sessions_hourly', project_id, date_bin('1 hour', moment, 'epoch')
from moved, unnest(array[started_at, moved_from]) as moment
where moment < date_bin('1 hour', now(), 'epoch');
