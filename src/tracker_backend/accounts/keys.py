"""Keys of projects. Of a secret key only the SHA-256 is stored."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from tracker_backend.accounts import audit
from tracker_backend.accounts.project_settings import ProjectSettings, read_settings
from tracker_backend.errors import NotFound
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

Kind = Literal["write", "read", "admin"]
PREFIX_LENGTH = 10
MAX_DAYS = 3650
MAX_GRACE_HOURS = 8760
_sql = load(__file__, "keys")


class KeyRecord(Struct, frozen=True):
    """The stored properties of a key."""

    project_id: int
    kind: Kind
    prefix: str
    is_public: bool
    """Pages contain this key, so it is no secret and may be sent in a body or a URL."""
    expires_at: datetime | None
    revoked_at: datetime | None
    is_archived: bool
    """The project is archived: it accepts no data."""
    settings: ProjectSettings


class KeyLine(Struct, frozen=True):
    """A key in a list. `public_key` is set for the write key that pages contain."""

    prefix: str
    kind: Kind
    name: str
    public_key: str | None
    created_at: datetime
    created_by: str | None
    """The actor, as in the audit log; None for keys that the server created."""
    last_used_at: datetime | None
    """Up to 30 seconds late."""
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(Struct, frozen=True):
    """A new secret key. It cannot be read again."""

    key: str
    prefix: str
    kind: Kind
    name: str
    expires_at: datetime | None


class Rotated(Struct, frozen=True):
    """The new public write key, and until when the replaced one stays valid."""

    public_key: str
    replaced: str | None
    """Prefix of the replaced key; None if there was none."""
    replaced_until: datetime | None
    """None if the replaced key was revoked at once."""


def digest(key: str) -> bytes:
    """Return the SHA-256 of a key or another secret of ours; only this is stored."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


async def find_key(pool: Pool, key: bytes) -> KeyRecord | None:
    """Return the key with this digest, valid or not; None if it is unknown."""
    row = await pool.fetchrow(_sql.find_key, key)
    return KeyRecord(*row[:-1], settings=read_settings(bytes(row[-1]))) if row else None


async def mark_keys_used(pool: Pool, used: list[bytes]) -> None:
    """Set the time of last use of the keys with these digests to now."""
    await pool.execute(_sql.mark_keys_used, used)


async def default_project(pool: Pool) -> int:
    """Return the id of the first project, on which local calls without a key act."""
    return await pool.fetchval(_sql.default_project)


async def create_key(
    pool: Pool | Connection,
    project_id: int,
    kind: Kind,
    name: str = "",
    expires_at: datetime | None = None,
    *,
    public: bool = False,
    created_by: str | None = None,
) -> str:
    """Create a key and return it. A secret key cannot be read again.

    A project has one valid public key at a time. If it has one, no other is stored: read it with `public_key`.
    """
    while True:
        key = f"tb_{kind[0]}_{secrets.token_urlsafe(24)}"
        values = (project_id, kind, name, key[:PREFIX_LENGTH], key if public else None, expires_at, created_by)
        if await pool.fetchval(_sql.insert_key, digest(key), *values) is not None or public:
            return key


async def issue_key(
    connection: Connection, actor: str, project_id: int, kind: Kind, name: str, days: float | None
) -> NewKey:
    """Create a secret key that expires after `days`, and write the audit log. Call it in a transaction."""
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    key = await create_key(connection, project_id, kind, name, expires_at, created_by=actor)
    new = NewKey(key, key[:PREFIX_LENGTH], kind, name, expires_at)
    await _write_audit(connection, actor, "key made", project_id, new.prefix, kind=kind, expires_at=expires_at)
    return new


async def public_key(pool: Pool | Connection, project_id: int) -> str:
    """Return the public write key of a project. Creates it if there is none."""
    while True:
        key = await pool.fetchval(_sql.public_key, project_id)
        if key is not None:
            return key
        await create_key(pool, project_id, "write", "public", public=True)


async def public_keys(pool: Pool, project_ids: list[int]) -> dict[int, str]:
    """Return the public write key of each of these projects."""
    return {project_id: await public_key(pool, project_id) for project_id in project_ids}


async def rotate_public_key(connection: Connection, actor: str, project_id: int, grace_hours: float) -> Rotated:
    """Create a new public write key and write the audit log. The replaced key stays valid for `grace_hours`.

    Call it in a transaction. Raises NotFound if the project was deleted.
    """
    until = datetime.now(UTC) + timedelta(hours=grace_hours) if grace_hours else None
    if await connection.fetchval(_sql.lock_project, project_id) is None:
        raise NotFound(f"project {project_id} does not exist any more.")
    replaced = await connection.fetchval(_sql.retire_public_key, project_id, until)
    await create_key(connection, project_id, "write", "public", public=True, created_by=actor)
    key = await public_key(connection, project_id)
    details = {"replaced": replaced, "grace_hours": grace_hours}
    await _write_audit(connection, actor, "key rotated", project_id, key[:PREFIX_LENGTH], **details)
    return Rotated(key, replaced, until if replaced else None)


async def list_keys(pool: Pool, project_id: int) -> list[KeyLine]:
    """Return the keys of a project, newest first."""
    return [KeyLine(*row) for row in await pool.fetch(_sql.list_keys, project_id)]


async def revoke_key(connection: Pool | Connection, actor: str, project_id: int, prefix: str) -> bool:
    """Revoke the valid key with this prefix, withdraw its open invitations, and write the audit log.

    Call it in a transaction. Returns False if there is no such key.
    """
    revoked = await connection.fetchval(_sql.revoke_key, project_id, prefix)
    if revoked is None:
        return False
    await connection.execute(_sql.withdraw_invitations, project_id, revoked)
    await _write_audit(connection, actor, "key revoked", project_id, prefix)
    return True


async def _write_audit(
    connection: Pool | Connection, actor: str, action: audit.Action, project_id: int, prefix: str, **details: object
) -> None:
    await audit.write(connection, actor, action, project_id=project_id, target=f"key {prefix}", **details)
