"""Projects and their keys. A secret key is known here only as its SHA-256."""

import hashlib
import secrets
from datetime import datetime
from typing import Literal

from msgspec import Struct

from tracker_backend.errors import NotFound
from tracker_backend.ingest.policy import ProjectSettings, read_settings
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


async def rotate_public_key(
    connection: Connection, project_id: int, until: datetime | None, created_by: str
) -> tuple[str, str | None]:
    """A new public write key, and the prefix of the one that it replaces, which goes on `until` then, or ends now.

    Call it in a transaction. NotFound for a project that is gone.
    """
    if await connection.fetchval(_sql.lock_project, project_id) is None:
        raise NotFound(f"there is no project {project_id} any more.")
    retired = await connection.fetchval(_sql.retire_public, project_id, until)
    await create_key(connection, project_id, "write", "public", public=True, created_by=created_by)
    return await public_key(connection, project_id), retired


async def list_keys(pool: Pool, project_id: int) -> list[KeyLine]:
    """A project's keys, newest first."""
    return [KeyLine(*row) for row in await pool.fetch(_sql.list_keys, project_id)]


async def revoke_keys(pool: Pool | Connection, project_id: int, prefix: str) -> int:
    """Ends the key with this prefix; returns how many that were: 1, or 0 where none is valid."""
    return len(await pool.fetch(_sql.revoke_key, project_id, prefix))


async def create_project(pool: Pool | Connection, name: str, platform: str = "web", timezone: str = "UTC") -> int:
    """Makes a project and returns its id."""
    return await pool.fetchval(_sql.insert_project, name, platform, timezone)
