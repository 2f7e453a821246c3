"""Projects and their keys. A secret key is known here only as its SHA-256."""

import hashlib
import secrets
from datetime import datetime
from typing import Literal

from msgspec import Struct

from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

Kind = Literal["write", "read", "admin"]
PREFIX_LENGTH = 10
_sql = load(__file__, "keys")


class KeyRecord(Struct, frozen=True):
    """What the database says of a key."""

    project_id: int
    kind: Kind
    expires_at: datetime | None
    revoked_at: datetime | None


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


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()


async def find_key(pool: Pool, key: str) -> KeyRecord | None:
    """The record of a key, valid or not; None for an unknown one."""
    row = await pool.fetchrow(_sql.find_key, _digest(key))
    return KeyRecord(*row) if row else None


async def default_project(pool: Pool) -> int:
    """The project on which keyless local calls act."""
    return await pool.fetchval(_sql.default_project)


async def create_key(
    pool: Pool, project_id: int, kind: Kind, name: str = "", expires_at: datetime | None = None, *, public: bool = False
) -> str:
    """Makes a key and returns it; a secret one cannot be read again."""
    key = f"tb_{kind[0]}_{secrets.token_urlsafe(24)}"
    values = (project_id, kind, name, key[:PREFIX_LENGTH], key if public else None, expires_at)
    await pool.execute(_sql.insert_key, _digest(key), *values)
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
