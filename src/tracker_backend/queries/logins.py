"""Browsers that are logged in, by the SHA-256 of what their cookie holds."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tracker_backend.ingest.policy import ProjectSettings, read_settings
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.sql import load

Role = Literal["owner", "editor", "viewer"]
_sql = load(__file__, "logins")


class Person(Struct, frozen=True):
    """Who is logged in."""

    user_id: int
    email: str
    expires_at: datetime
    roles: dict[int, Role]
    """By project, in the order of their numbers."""


async def find_login(pool: Pool, token: bytes) -> Person | None:
    """Who is logged in with this token's digest; None when nobody is any more."""
    row = await pool.fetchrow(_sql.find_login, token)
    return Person(row[0], row[1], row[2], dict(zip(row[3], row[4], strict=True))) if row else None


async def insert_login(pool: Pool, token: bytes, user_id: int, expires_at: datetime) -> None:
    """A browser has logged in."""
    await pool.execute(_sql.insert_login, token, user_id, expires_at)


async def delete_login(pool: Pool, token: bytes) -> int | None:
    """Logs out; the number of who was logged in, None when nobody was."""
    return await pool.fetchval(_sql.delete_login, token)


async def project_settings(pool: Pool, project_id: int) -> tuple[ProjectSettings, bool]:
    """What a project decides, and whether it is archived; the defaults and False for one that is gone."""
    row = await pool.fetchrow(_sql.project_settings, project_id)
    return (read_settings(bytes(row[0])), row[1]) if row else (ProjectSettings(), False)
