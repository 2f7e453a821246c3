-- find_key: a key by its hash with the settings of its project, also one that is not valid any more, so that the answer can say why
select project_id, kind, prefix, public_key is not null, expires_at, revoked_at, archived_at is not null, settings
from tracker.api_keys join tracker.projects using (project_id) where key_sha256 = $1 and deleted_at is null;

-- mark_keys_used: set the time of last use to now (array of hashes)
update tracker.api_keys set last_used_at = now() where key_sha256 = any($1::bytea[]);

-- default_project: the oldest project, on which local calls without a key act
select min(project_id) from tracker.projects where deleted_at is null;

-- public_key: the valid public write key of a project
select public_key from tracker.api_keys
where project_id = $1 and public_key is not null and revoked_at is null and expires_at is null;

-- insert_key: a new key; no row if a key of the project has the same prefix, or if the project has a valid public key already
insert into tracker.api_keys (key_sha256, project_id, kind, name, prefix, public_key, expires_at, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing
returning prefix;

-- list_keys: the keys of a project, newest first, without secret keys themselves
select prefix, kind, name, public_key, created_at, created_by, last_used_at, expires_at, revoked_at
from tracker.api_keys where project_id = $1 order by created_at desc, prefix;

-- revoke_key: revoke a key by its prefix, which is unique in a project; caches of processes notice within a second
update tracker.api_keys set revoked_at = now()
where project_id = $1 and prefix = $2 and revoked_at is null
returning key_sha256;

-- withdraw_invitations: open invitations that a key created
delete from tracker.links where project_id = $1 and key_sha256 = $2 and used_at is null;

-- lock_project: one rotation at a time
select project_id from tracker.projects where project_id = $1 and deleted_at is null for update;

-- retire_public_key: let the public write key expire at $2, or now if that is null
update tracker.api_keys set expires_at = $2, revoked_at = case when $2::timestamptz is null then now() end
where project_id = $1 and public_key is not null and revoked_at is null and expires_at is null
returning prefix;
