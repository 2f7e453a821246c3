-- insert: a link that works once; that of a key ($7) works no longer than the key, and is not made when that was revoked meanwhile
with maker as (
    select expires_at from tracker.api_keys where project_id = $3 and key_sha256 = $7 and revoked_at is null for share
)
insert into tracker.links (token_sha256, purpose, project_id, role, email, created_by, key_sha256, expires_at)
select $1, $2, $3, $4, $5, $6, $7, least($8, (select expires_at from maker))
where $7::bytea is null or exists (select from maker)
returning link_id, expires_at;

-- offer_ownership: the first owner's link in place of the one before; none when somebody has an account
insert into tracker.links (token_sha256, purpose, expires_at)
select $1, 'first owner', $2 where not exists (select from tracker.users)
on conflict (purpose) where purpose = 'first owner' and used_at is null do update
set token_sha256 = excluded.token_sha256, expires_at = excluded.expires_at, created_at = now()
returning link_id;

-- find: what a link is for, also one that no longer works: the answer says why
select link_id, purpose, project_id, name, role, email, expires_at, used_at
from tracker.links left join tracker.projects using (project_id)
where token_sha256 = $1;

-- use: once, in time, and by whom it is for; of two at once the second finds it used
update tracker.links set used_at = now()
where token_sha256 = $1 and used_at is null and expires_at > now() and (email is null or email = $2)
    and not exists (select from tracker.projects p where p.project_id = links.project_id and p.deleted_at is not null)
returning link_id;

-- list_invitations: of a project that can still be used, newest first
select link_id, email, role, created_by, created_at, expires_at from tracker.links
where project_id = $1 and purpose = 'invitation' and used_at is null and expires_at > now()
order by link_id desc;

-- withdraw: an invitation that nobody has used
delete from tracker.links where project_id = $1 and link_id = $2 and purpose = 'invitation' and used_at is null
returning link_id;

-- withdraw_of: a person's invitations to a project: who may no longer invite has no way back in
delete from tracker.links where project_id = $1 and created_by = $2 and purpose = 'invitation' and used_at is null;

-- withdraw_passwords: links to set a password, of an account
delete from tracker.links where email = $1 and purpose = 'password' and used_at is null;
