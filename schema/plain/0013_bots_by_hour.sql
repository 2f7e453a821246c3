-- Events are labelled like their sessions, and counted by that label. Plain PostgreSQL.

alter table tracker.events add column is_bot boolean not null default false;
alter table tracker.events_hourly_rollup add column is_bot boolean not null default false;

update tracker.events e set is_bot = true from tracker.sessions s
where s.is_bot and e.project_id = s.project_id and e.session_id = s.session_id
    and e.timestamp >= s.first_at and e.timestamp <= s.last_at;

-- Hours that lost rows to retention keep their numbers, as if no bot had been among them.
insert into tracker.hours_to_refresh (rollup, project_id, bucket)
select distinct 'events_hourly', project_id, date_bin('1 hour', timestamp, 'epoch') from tracker.events
where is_bot and timestamp < date_bin('1 hour', now(), 'epoch');

create or replace view tracker.events_hourly as
select project_id, bucket, event_type, page_host, page_path, count, sessions, is_bot from tracker.events_hourly_rollup
where bucket < (select upto from tracker.rollups where name = 'events_hourly')
union all
select project_id, date_bin('1 hour', timestamp, 'epoch'), event_type, page_host, page_path,
       count(*), count(distinct session_id), is_bot
from tracker.events
where timestamp >= (select upto from tracker.rollups where name = 'events_hourly')
group by 1, 2, 3, 4, 5, 8;

-- Analysts see the column too: the function of 0009, with it.
do $$
begin
    execute replace(replace(pg_get_functiondef('tracker.open_to_analysts()'::regprocedure),
        'click_count, event_data', 'click_count, event_data, is_bot'),
        'page_path, count, sessions', 'page_path, count, sessions, is_bot');
end $$;

select tracker.open_to_analysts();
