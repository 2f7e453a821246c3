-- insert: a one-time link; that of a key ($7) expires with the key, and is not inserted if the key was revoked meanwhile
with maker as (
    select expires_at from tracker.api_keys where project_id = $3 and key_sha256 = $7 and revoked_at is null for share
)
insert into tracker.links (token_sha256, purpose, project_id, role, email, created_by, key_sha256, expires_at)
select $1, $2, $3, $4, $5, $6, $7, least($8, (select expires_at from maker))
where $7::bytea is null or exists (select from maker)
returning link_id, expires_at;

-- insert_first_owner_link: the link of the first owner, which replaces the earlier one; no row if there are accounts
insert into tracker.links (token_sha256, purpose, expires_at)
select $1, 'first owner', $2 where not exists (select from tracker.users)
on conflict (purpose) where purpose = 'first owner' and used_at is null do update
set token_sha256 = excluded.token_sha256, expires_at = excluded.expires_at, created_at = now()
returning link_id;

-- find: a one-time link, also one that is not valid any more, so that the answer can say why
select link_id, purpose, project_id, name, role, email, expires_at, used_at
from tracker.links left join tracker.projects using (project_id)
where token_sha256 = $1;

-- use: mark a valid link as used by the person it is for; of two concurrent calls the second gets no row
update tracker.links set used_at = now()
where token_sha256 = $1 and used_at is null and expires_at > now() and (email is null or email = $2)
    and not exists (select from tracker.projects p where p.project_id = links.project_id and p.deleted_at is not null)
returning link_id;

-- list_invitations: the open invitations of a project, newest first
select link_id, email, role, created_by, created_at, expires_at from tracker.links
where project_id = $1 and purpose = 'invitation' and used_at is null and expires_at > now()
order by link_id desc;

-- withdraw_invitation: an open invitation
delete from tracker.links where project_id = $1 and link_id = $2 and purpose = 'invitation' and used_at is null
returning link_id;

-- withdraw_invitations_of: the open invitations to a project that a person created, so that a removed person cannot return by one
delete from tracker.links where project_id = $1 and created_by = $2 and purpose = 'invitation' and used_at is null;

-- withdraw_password_links: the open password links of an account
delete from tracker.links where email = $1 and purpose = 'password' and used_at is null;
