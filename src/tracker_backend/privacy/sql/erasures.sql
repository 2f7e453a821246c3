-- request: a new erasure, or the unfinished one of the same subject ($1 project, $2 subject, $3 its keyed hash, $4 actor, $5 its id)
insert into tracker.erasures as e (project_id, subject, keyed_hash, actor, subject_id) values ($1, $2, $3, $4, $5)
on conflict (keyed_hash) where finished_at is null do update set subject_id = e.subject_id
returning erasure_id;

-- find: what is to be erased; no id once it is finished
select project_id, subject, subject_id from tracker.erasures where erasure_id = $1;

-- unfinished: oldest first
select erasure_id from tracker.erasures where finished_at is null order by requested_at;

-- sessions: sessions of a user ($3 how many)
select session_id from tracker.sessions where project_id = $1 and user_id = $2 order by session_id limit $3;

-- add_session_hashes: keep the keyed hashes of erased sessions for the later check ($2 array)
insert into tracker.erased_sessions (erasure_id, keyed_hash) select $1, unnest($2::bytea[]) on conflict do nothing;

-- session_hashes: keyed hashes of the sessions that it erased
select keyed_hash from tracker.erased_sessions where erasure_id = $1;

-- add_counts: add to the numbers of what was removed ($2 names, $3 numbers)
update tracker.erasures e set removed = e.removed || (
    select jsonb_object_agg(name, coalesce((e.removed ->> name)::bigint, 0) + count)
    from unnest($2::text[], $3::bigint[]) as c (name, count)
)
where erasure_id = $1;

-- finish: the id of the user or session is deleted too
update tracker.erasures set finished_at = now(), subject_id = null where erasure_id = $1 and finished_at is null;

-- pending: sessions that named an erased user after rows of them were stored
select keyed_hash, project_id, session_id, erasure_id from tracker.tombstones where session_id is not null order by keyed_hash;

-- clear_pending: the rows of such a session are erased
update tracker.tombstones set session_id = null where keyed_hash = $1;
