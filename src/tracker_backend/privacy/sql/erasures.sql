-- ask: an erasure, or the unfinished one of the same user or session ($1 project, $2 subject, $3 mark, $4 actor, $5 the id)
insert into tracker.erasures as e (project_id, subject, mark, actor, wanted) values ($1, $2, $3, $4, $5)
on conflict (mark) where finished_at is null do update set wanted = e.wanted
returning erasure_id;

-- find: what is to be erased
select project_id, subject, wanted from tracker.erasures where erasure_id = $1;

-- unfinished: oldest first
select erasure_id from tracker.erasures where finished_at is null order by asked_at;

-- sessions: of a user, so many ($3)
select session_id from tracker.sessions where project_id = $1 and user_id = $2 order by session_id limit $3;

-- remember: the sessions that it removes, for the later proof ($2 marks)
insert into tracker.erased_sessions (erasure_id, mark) select $1, unnest($2::bytea[]) on conflict do nothing;

-- marks: of the sessions that it removed
select mark from tracker.erased_sessions where erasure_id = $1;

-- add: count what was removed ($2 names, $3 how many)
update tracker.erasures e set removed = e.removed || (
    select jsonb_object_agg(name, coalesce((e.removed ->> name)::bigint, 0) + count)
    from unnest($2::text[], $3::bigint[]) as c (name, count)
)
where erasure_id = $1;

-- finish: the id leaves with the last row
update tracker.erasures set finished_at = now(), wanted = null where erasure_id = $1 and finished_at is null;

-- pending: sessions that named an erased user, and may have rows from before
select mark, project_id, session_id, erasure_id from tracker.tombstones where session_id is not null order by mark;

-- done: such a session has no rows any more
update tracker.tombstones set session_id = null where mark = $1;
