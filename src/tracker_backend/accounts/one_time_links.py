"""Links that work once: the first owner's, invitations, new passwords. A token is known here only as its SHA-256."""

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
LIFE: dict[Purpose, timedelta] = {
    "first owner": timedelta(hours=24),
    "invitation": timedelta(days=7),
    "password": timedelta(hours=24),
}
_sql = load(__file__, "one_time_links")


class Link(Struct, frozen=True):
    """What a link is for, whether it still works or not."""

    link_id: int
    purpose: Purpose
    project_id: int | None
    project_name: str | None
    role: Role | None
    email: str | None
    """Nobody else may use it."""
    expires_at: datetime
    used_at: datetime | None


class Invitation(Struct, frozen=True):
    """An invitation that can still be used; `created_by` is a user's number, None for a key or a command."""

    invitation_id: int
    email: str | None
    role: Role
    created_by: int | None
    created_at: datetime
    expires_at: datetime


class NewLink(Struct, frozen=True):
    """A link that was made just now: `token` is told once."""

    link_id: int
    token: str
    expires_at: datetime


def address(base: str, token: str) -> str:
    """What is sent to somebody: the token stands behind the #, so that it comes into no log."""
    return f"{base.rstrip('/')}/join#{token}"


async def invite(
    connection: Connection,
    actor: str,
    project_id: int,
    role: Role,
    email: str | None,
    created_by: int | None = None,
    key: bytes | None = None,
) -> NewLink:
    """A link that makes somebody a member of a project, whoever has this e-mail, or anybody without one; with a line of
    the audit, in a transaction. It is made by a person, by the key of this digest, whose end is its end too, or by
    neither. Unauthorized where the key was revoked just now.
    """
    made = await _make(connection, "invitation", project_id, role, email, created_by, key)
    target = f"invitation {made.link_id}"
    await audit.write(connection, actor, "person invited", project_id=project_id, target=target, email=email, role=role)
    return made


async def offer_password(connection: Connection, email: str) -> NewLink:
    """A link that sets a new password, in place of those made before for this account; in a transaction."""
    await withdraw_passwords(connection, email)
    return await _make(connection, "password", None, None, email)


async def offer_ownership(pool: Pool) -> NewLink | None:
    """A link that makes the first account, in place of the one before; None when there are accounts."""
    token, expires_at = secrets.token_urlsafe(32), datetime.now(UTC) + LIFE["first owner"]
    link_id = await pool.fetchval(_sql.offer_ownership, digest(token), expires_at)
    return None if link_id is None else NewLink(link_id, token, expires_at)


async def find(pool: Pool | Connection, token: str) -> Link | None:
    """What a link is for; None for an unknown one."""
    row = await pool.fetchrow(_sql.find, digest(token))
    return Link(*row) if row else None


async def use(connection: Connection, token: str, email: str) -> bool:
    """Uses a link up; False when it was used, is over, or is for another e-mail."""
    return await connection.fetchval(_sql.use, digest(token), email) is not None


async def list_invitations(pool: Pool, project_id: int) -> list[Invitation]:
    """A project's invitations that can still be used, newest first."""
    return [Invitation(*row) for row in await pool.fetch(_sql.list_invitations, project_id)]


async def withdraw(connection: Connection, actor: str, project_id: int, invitation_id: int) -> bool:
    """Ends an invitation, with a line of the audit, in a transaction; False when there is none that could be used."""
    if await connection.fetchval(_sql.withdraw, project_id, invitation_id) is None:
        return False
    target = f"invitation {invitation_id}"
    await audit.write(connection, actor, "invitation withdrawn", project_id=project_id, target=target)
    return True


async def withdraw_of(connection: Connection, project_id: int, user_id: int) -> None:
    """Ends the invitations that a person made to a project."""
    await connection.execute(_sql.withdraw_of, project_id, user_id)


async def withdraw_passwords(connection: Connection, email: str) -> None:
    """Ends the links that set a new password for an account."""
    await connection.execute(_sql.withdraw_passwords, email)


async def _make(
    connection: Connection,
    purpose: Purpose,
    project_id: int | None,
    role: Role | None,
    email: str | None,
    created_by: int | None = None,
    key: bytes | None = None,
) -> NewLink:
    token, expires_at = secrets.token_urlsafe(32), datetime.now(UTC) + LIFE[purpose]
    values = (digest(token), purpose, project_id, role, email, created_by, key, expires_at)
    row = await connection.fetchrow(_sql.insert, *values)
    if row is None:
        raise Unauthorized("this key was revoked: use another one.")
    return NewLink(row["link_id"], token, row["expires_at"])
