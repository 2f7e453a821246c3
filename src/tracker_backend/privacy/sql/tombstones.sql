-- limit_wait: batches wait behind whoever waits for the lock
set local lock_timeout = '2s';

-- lock: every group of batches holds this table until its end, because its first statement may insert into it (ingest.sql); readers and pg_dump go on
lock table tracker.tombstones in share row exclusive mode;

-- bury: set tombstones ($1 marks, $2 for how long, $3 project, $4 the erasure)
insert into tracker.tombstones as t (mark, until, project_id, erasure_id)
select mark, now() + $2::interval, $3, $4 from unnest($1::bytea[]) as mark
on conflict (mark) do update set until = greatest(t.until, excluded.until), erasure_id = excluded.erasure_id;

-- standing: those of these marks that have one
select mark from tracker.tombstones where mark = any($1::bytea[]);

-- lift: what they named may come back
delete from tracker.tombstones where mark = any($1::bytea[]);

-- sweep: those whose time is over
delete from tracker.tombstones where until < now() and session_id is null;
