"""Projects and their keys. A secret key is known here only as its SHA-256."""

import hashlib
import secrets
from datetime import datetime
from typing import Literal

from msgspec import Struct

from tracker_backend.ingest.policy import ProjectSettings, read_settings
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

Kind = Literal["write", "read", "admin"]
PREFIX_LENGTH = 10
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
    expires_at: datetime | None
    revoked_at: datetime | None


class Project(Struct, frozen=True):
    """A project."""

    project_id: int
    name: str
    timezone: str
    created_at: datetime


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
    pool: Pool, project_id: int, kind: Kind, name: str = "", expires_at: datetime | None = None, *, public: bool = False
) -> str:
    """Makes a key and returns it; a secret one cannot be read again."""
    key = f"tb_{kind[0]}_{secrets.token_urlsafe(24)}"
    values = (project_id, kind, name, key[:PREFIX_LENGTH], key if public else None, expires_at)
    await pool.execute(_sql.insert_key, digest(key), *values)
    return key


async def public_key(pool: Pool, project_id: int) -> str:
    """The project's public write key; made when there is none yet."""
    while True:
        key = await pool.fetchval(_sql.public_key, project_id)
        if key is not None:
            return key
        await create_key(pool, project_id, "write", "public", public=True)


async def list_keys(pool: Pool, project_id: int) -> list[KeyLine]:
    """A project's keys, newest first."""
    return [KeyLine(*row) for row in await pool.fetch(_sql.list_keys, project_id)]


async def revoke_keys(pool: Pool, project_id: int, prefix: str) -> int:
    """Ends the keys with this prefix; returns how many."""
    return len(await pool.fetch(_sql.revoke_keys, project_id, prefix))


async def create_project(pool: Pool, name: str) -> int:
    """Makes a project and returns its id."""
    return await pool.fetchval(_sql.insert_project, name)


async def list_projects(pool: Pool) -> list[Project]:
    """All projects, oldest first."""
    return [Project(*row) for row in await pool.fetch(_sql.list_projects)]
