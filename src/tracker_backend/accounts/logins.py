"""Browsers that are logged in, by the SHA-256 of what their cookie holds."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tracker_backend.storage.pool import Connection, Pool
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


async def log_in(connection: Connection, token: bytes, user_id: int, password_hash: str, expires_at: datetime) -> bool:
    """A browser has logged in with the password of this hash; False when that is not the account's any more."""
    return await connection.fetchval(_sql.log_in, token, user_id, password_hash, expires_at) is not None


async def end_logins(connection: Connection, user_id: int, except_token: bytes = b"") -> None:
    """Logs a person out everywhere, but for the browser with this token's digest."""
    await connection.execute(_sql.end_logins, user_id, except_token)


async def delete_login(connection: Pool | Connection, token: bytes) -> int | None:
    """Logs out; the number of who was logged in, None when nobody was."""
    return await connection.fetchval(_sql.delete_login, token)
