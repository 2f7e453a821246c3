-- limit_wait: batches wait behind this transaction while it waits for the lock
set local lock_timeout = '2s';

-- lock: waits for the groups that are being written, and holds up new ones. The first statement of a group may insert into this table (commit.sql), so each group holds a lock on it until its end; reads and pg_dump are not held up
lock table tracker.tombstones in share row exclusive mode;

-- add: add tombstones ($1 keyed hashes, $2 for how long, $3 project, $4 the erasure)
insert into tracker.tombstones as t (keyed_hash, until, project_id, erasure_id)
select keyed_hash, now() + $2::interval, $3, $4 from unnest($1::bytea[]) as keyed_hash
on conflict (keyed_hash) do update set until = greatest(t.until, excluded.until), erasure_id = excluded.erasure_id;

-- active: those of these keyed hashes that have a tombstone
select keyed_hash from tracker.tombstones where keyed_hash = any($1::bytea[]);

-- remove: those of these keyed hashes
delete from tracker.tombstones where keyed_hash = any($1::bytea[]);

-- remove_expired: those whose time is over, unless rows of their session are still to be erased
delete from tracker.tombstones where until < now() and session_id is null;
