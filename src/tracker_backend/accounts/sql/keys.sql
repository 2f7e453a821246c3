-- find_key: a key by its hash with its project's settings, also one that is no longer valid: the answer says why
select project_id, kind, prefix, public_key is not null, expires_at, revoked_at, archived_at is not null, settings
from tracker.api_keys join tracker.projects using (project_id) where key_sha256 = $1 and deleted_at is null;

-- use_keys: when keys were last used (array of hashes)
update tracker.api_keys set last_used_at = now() where key_sha256 = any($1::bytea[]);

-- default_project: the oldest project, on which keyless local calls act
select min(project_id) from tracker.projects where deleted_at is null;

-- public_key: the write key of a project that new pages carry
select public_key from tracker.api_keys
where project_id = $1 and public_key is not null and revoked_at is null and expires_at is null;

-- insert_key: a new key; of a public write key there is one at a time, and of two made at once one stays; none where a key of the project begins alike
insert into tracker.api_keys (key_sha256, project_id, kind, name, prefix, public_key, expires_at, created_by)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing
returning prefix;

-- list_keys: a project's keys, newest first, never the keys themselves
select prefix, kind, name, public_key, created_at, created_by, last_used_at, expires_at, revoked_at
from tracker.api_keys where project_id = $1 order by created_at desc, prefix;

-- revoke_key: by its prefix, which only one key of a project has; it ends everywhere as soon as what processes remember of it is a second old
update tracker.api_keys set revoked_at = now()
where project_id = $1 and prefix = $2 and revoked_at is null
returning key_sha256;

-- withdraw_invitations: that a key made, and nobody has used
delete from tracker.links where project_id = $1 and key_sha256 = $2 and used_at is null;

-- lock_project: one rotation at a time
select project_id from tracker.projects where project_id = $1 and deleted_at is null for update;

-- retire_public: the write key of new pages goes on until then ($2), or ends now where that is null
update tracker.api_keys set expires_at = $2, revoked_at = case when $2::timestamptz is null then now() end
where project_id = $1 and public_key is not null and revoked_at is null and expires_at is null
returning prefix;
