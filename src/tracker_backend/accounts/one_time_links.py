"""Links that work once: for the first owner, for invitations, for new passwords. Of a token the SHA-256 is stored."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from tracker_backend.accounts import audit
from tracker_backend.accounts.keys import digest
from tracker_backend.accounts.logins import Role
from tracker_backend.errors import Unauthorized
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

Purpose = Literal["first owner", "invitation", "password"]
LIFETIMES: dict[Purpose, timedelta] = {
    "first owner": timedelta(hours=24),
    "invitation": timedelta(days=7),
    "password": timedelta(hours=24),
}
_sql = load(__file__, "one_time_links")


class Link(Struct, frozen=True):
    """The purpose of a one-time link, whether it is still valid or not."""

    link_id: int
    purpose: Purpose
    project_id: int | None
    project_name: str | None
    role: Role | None
    email: str | None
    """Only the person with this e-mail may use it; None: anybody may."""
    expires_at: datetime
    used_at: datetime | None


class Invitation(Struct, frozen=True):
    """An open invitation. `created_by` is the id of a user; None if a key or a command created it."""

    invitation_id: int
    email: str | None
    role: Role
    created_by: int | None
    created_at: datetime
    expires_at: datetime


class NewLink(Struct, frozen=True):
    """A new one-time link. Its token cannot be read again."""

    link_id: int
    token: str
    expires_at: datetime


def address(base: str, token: str) -> str:
    """Return the URL of a link. The token is in the fragment, so that no server logs it."""
    return f"{base.rstrip('/')}/join#{token}"


async def create_invitation(
    connection: Connection,
    actor: str,
    project_id: int,
    role: Role,
    email: str | None,
    created_by: int | None = None,
    key: bytes | None = None,
) -> NewLink:
    """Create an invitation to a project, for the person with `email` or for anybody, and write the audit log.

    `created_by` is the id of the inviting user, `key` the digest of the inviting key; the invitation ends with that
    key. Call it in a transaction. Raises Unauthorized if the key was just revoked.
    """
    link = await _insert(connection, "invitation", project_id, role, email, created_by, key)
    target = f"invitation {link.link_id}"
    await audit.write(connection, actor, "person invited", project_id=project_id, target=target, email=email, role=role)
    return link


async def create_password_link(connection: Connection, email: str) -> NewLink:
    """Create a link that sets a new password. It replaces earlier ones of the account. Call it in a transaction."""
    await withdraw_password_links(connection, email)
    return await _insert(connection, "password", None, None, email)


async def create_first_owner_link(pool: Pool) -> NewLink | None:
    """Create a link for the first account. It replaces the earlier one. Returns None if there are accounts."""
    token, expires_at = secrets.token_urlsafe(32), datetime.now(UTC) + LIFETIMES["first owner"]
    link_id = await pool.fetchval(_sql.insert_first_owner_link, digest(token), expires_at)
    return None if link_id is None else NewLink(link_id, token, expires_at)


async def find(pool: Pool | Connection, token: str) -> Link | None:
    """Return the link with this token, valid or not; None if it is unknown."""
    row = await pool.fetchrow(_sql.find, digest(token))
    return Link(*row) if row else None


async def use(connection: Connection, token: str, email: str) -> bool:
    """Mark a link as used. Returns False if it was used before, has expired, or is for another e-mail."""
    return await connection.fetchval(_sql.use, digest(token), email) is not None


async def list_invitations(pool: Pool, project_id: int) -> list[Invitation]:
    """Return the open invitations of a project, newest first."""
    return [Invitation(*row) for row in await pool.fetch(_sql.list_invitations, project_id)]


async def withdraw_invitation(connection: Connection, actor: str, project_id: int, invitation_id: int) -> bool:
    """Withdraw an open invitation and write the audit log. Call it in a transaction. False if there is none."""
    if await connection.fetchval(_sql.withdraw_invitation, project_id, invitation_id) is None:
        return False
    target = f"invitation {invitation_id}"
    await audit.write(connection, actor, "invitation withdrawn", project_id=project_id, target=target)
    return True


async def withdraw_invitations_of(connection: Connection, project_id: int, user_id: int) -> None:
    """Withdraw the open invitations to a project that a person created."""
    await connection.execute(_sql.withdraw_invitations_of, project_id, user_id)


async def withdraw_password_links(connection: Connection, email: str) -> None:
    """Withdraw the open password links of an account."""
    await connection.execute(_sql.withdraw_password_links, email)


async def _insert(
    connection: Connection,
    purpose: Purpose,
    project_id: int | None,
    role: Role | None,
    email: str | None,
    created_by: int | None = None,
    key: bytes | None = None,
) -> NewLink:
    token, expires_at = secrets.token_urlsafe(32), datetime.now(UTC) + LIFETIMES[purpose]
    values = (digest(token), purpose, project_id, role, email, created_by, key, expires_at)
    row = await connection.fetchrow(_sql.insert, *values)
    if row is None:
        raise Unauthorized("this key was revoked: use another one.")
    return NewLink(row["link_id"], token, row["expires_at"])
