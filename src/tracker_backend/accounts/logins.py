"""Login sessions of browsers. Of the token in the cookie only the SHA-256 is stored."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

Role = Literal["owner", "editor", "viewer"]
_sql = load(__file__, "logins")


class Person(Struct, frozen=True):
    """A person who is logged in."""

    user_id: int
    email: str
    expires_at: datetime
    roles: dict[int, Role]
    """Role by project id, in the order of the ids."""


async def find_login(pool: Pool, token: bytes) -> Person | None:
    """Return the person whose token has this digest; None if the login has ended."""
    row = await pool.fetchrow(_sql.find_login, token)
    return Person(row[0], row[1], row[2], dict(zip(row[3], row[4], strict=True))) if row else None


async def log_in(connection: Connection, token: bytes, user_id: int, password_hash: str, expires_at: datetime) -> bool:
    """Store a login. Returns False if `password_hash` is not the hash of the account any more."""
    return await connection.fetchval(_sql.log_in, token, user_id, password_hash, expires_at) is not None


async def end_logins(connection: Connection, user_id: int, except_token: bytes = b"") -> None:
    """End all logins of a person, except the one whose token has the digest `except_token`."""
    await connection.execute(_sql.end_logins, user_id, except_token)


async def delete_login(connection: Pool | Connection, token: bytes) -> int | None:
    """End a login. Returns the id of the user, or None if there was no login."""
    return await connection.fetchval(_sql.delete_login, token)
