-- find_key: a key by its hash with its project's settings, also one that is no longer valid: the answer says why
select project_id, kind, prefix, public_key is not null, expires_at, revoked_at, archived_at is not null, settings
from tracker.api_keys join tracker.projects using (project_id) where key_sha256 = $1;

-- use_keys: when keys were last used (array of hashes)
update tracker.api_keys set last_used_at = now() where key_sha256 = any($1::bytea[]);

-- default_project: the oldest project, on which keyless local calls act
select min(project_id) from tracker.projects;

-- public_key: the write key of a project that new pages carry
select public_key from tracker.api_keys
where project_id = $1 and public_key is not null and revoked_at is null and expires_at is null;

-- insert_key: a new key; of a public write key there is one at a time, and of two made at once one stays
insert into tracker.api_keys (key_sha256, project_id, kind, name, prefix, public_key, expires_at)
values ($1, $2, $3, $4, $5, $6, $7)
on conflict do nothing;

-- list_keys: a project's keys, newest first, never the keys themselves
select prefix, kind, name, public_key, created_at, expires_at, revoked_at from tracker.api_keys
where project_id = $1 order by created_at desc;

-- revoke_keys: by the start that lists show
update tracker.api_keys set revoked_at = now()
where project_id = $1 and prefix = $2 and revoked_at is null
returning kind;

-- insert_project: a new project
insert into tracker.projects (name) values ($1) returning project_id;

-- list_projects: all of them
select project_id, name, timezone, created_at from tracker.projects order by project_id;
