"""Keys of projects. A secret key is known here only as its SHA-256."""

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
MOST_DAYS = 3650
MOST_GRACE_HOURS = 8760
_sql = load(__file__, "keys")


class KeyRecord(Struct, frozen=True):
    """What the database says of a key."""

    project_id: int
    kind: Kind
    prefix: str
    is_public: bool
    """It stands in pages: everyone may know it, and it may stand in a body or a URL."""
    expires_at: datetime | None
    revoked_at: datetime | None
    is_archived: bool
    """The project takes no data any more."""
    settings: ProjectSettings


class KeyLine(Struct, frozen=True):
    """A key in a list; `public_key` is set for the write key that pages carry."""

    prefix: str
    kind: Kind
    name: str
    public_key: str | None
    created_at: datetime
    created_by: str | None
    """As the audit log names them; None for keys that the server made."""
    last_used_at: datetime | None
    """Up to half a minute behind."""
    expires_at: datetime | None
    revoked_at: datetime | None


class NewKey(Struct, frozen=True):
    """A key, shown this once."""

    key: str
    prefix: str
    kind: Kind
    name: str
    expires_at: datetime | None


class Rotated(Struct, frozen=True):
    """The new public write key, and until when the one before it goes on."""

    public_key: str
    replaced: str | None
    """The prefix of the one before; null where there was none."""
    replaced_until: datetime | None
    """null: it has ended."""


def digest(key: str) -> bytes:
    """What is stored of a key, and of any other secret of ours: its SHA-256."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


async def find_key(pool: Pool, key: bytes) -> KeyRecord | None:
    """The record of a key by its digest, valid or not; None for an unknown one."""
    row = await pool.fetchrow(_sql.find_key, key)
    return KeyRecord(*row[:-1], settings=read_settings(bytes(row[-1]))) if row else None


async def use_keys(pool: Pool, used: list[bytes]) -> None:
    """Notes that keys, by their digests, were used just now."""
    await pool.execute(_sql.use_keys, used)


async def default_project(pool: Pool) -> int:
    """The project on which keyless local calls act."""
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
    """Makes a key and returns it; a secret one cannot be read again. Of public ones a project has one at a time: while
    there is one, `public_key` tells which.
    """
    while True:
        key = f"tb_{kind[0]}_{secrets.token_urlsafe(24)}"
        values = (project_id, kind, name, key[:PREFIX_LENGTH], key if public else None, expires_at, created_by)
        if await pool.fetchval(_sql.insert_key, digest(key), *values) is not None or public:
            return key


async def make_key(
    connection: Connection, actor: str, project_id: int, kind: Kind, name: str, days: float | None
) -> NewKey:
    """Makes a secret key that expires after so many days, with a line of the audit, in a transaction."""
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    key = await create_key(connection, project_id, kind, name, expires_at, created_by=actor)
    made = NewKey(key, key[:PREFIX_LENGTH], kind, name, expires_at)
    await _note(connection, actor, "key made", project_id, made.prefix, kind=kind, expires_at=expires_at)
    return made


async def public_key(pool: Pool | Connection, project_id: int) -> str:
    """The project's public write key; made when there is none yet."""
    while True:
        key = await pool.fetchval(_sql.public_key, project_id)
        if key is not None:
            return key
        await create_key(pool, project_id, "write", "public", public=True)


async def public_keys(pool: Pool, project_ids: list[int]) -> dict[int, str]:
    """The public write key of each of these projects."""
    return {project_id: await public_key(pool, project_id) for project_id in project_ids}


async def rotate_public_key(connection: Connection, actor: str, project_id: int, grace_hours: float) -> Rotated:
    """Makes a new public write key, with a line of the audit; the one before goes on for so many hours, 0 ends it now.

    Call it in a transaction. NotFound for a project that is gone.
    """
    until = datetime.now(UTC) + timedelta(hours=grace_hours) if grace_hours else None
    if await connection.fetchval(_sql.lock_project, project_id) is None:
        raise NotFound(f"there is no project {project_id} any more.")
    replaced = await connection.fetchval(_sql.retire_public, project_id, until)
    await create_key(connection, project_id, "write", "public", public=True, created_by=actor)
    key = await public_key(connection, project_id)
    details = {"replaced": replaced, "grace_hours": grace_hours}
    await _note(connection, actor, "key rotated", project_id, key[:PREFIX_LENGTH], **details)
    return Rotated(key, replaced, until if replaced else None)


async def list_keys(pool: Pool, project_id: int) -> list[KeyLine]:
    """A project's keys, newest first."""
    return [KeyLine(*row) for row in await pool.fetch(_sql.list_keys, project_id)]


async def revoke_key(connection: Pool | Connection, actor: str, project_id: int, prefix: str) -> bool:
    """Ends the key with this prefix and its open invitations, with a line of the audit; False where none is valid. Call
    it in a transaction.
    """
    revoked = await connection.fetchval(_sql.revoke_key, project_id, prefix)
    if revoked is None:
        return False
    await connection.execute(_sql.withdraw_invitations, project_id, revoked)
    await _note(connection, actor, "key revoked", project_id, prefix)
    return True


async def _note(
    connection: Pool | Connection, actor: str, action: audit.Action, project_id: int, prefix: str, **details: object
) -> None:
    await audit.write(connection, actor, action, project_id=project_id, target=f"key {prefix}", **details)
