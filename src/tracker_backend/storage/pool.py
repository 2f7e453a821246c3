"""Connection pools. They keep no session state, so that they work through a pooler in transaction mode."""

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncpg
from msgspec import Raw

from tracker_backend.errors import SettingsError
from tracker_backend.settings import Settings

if TYPE_CHECKING:  # generic for the type checker only
    from asyncpg.pool import PoolConnectionProxy

    Pool = asyncpg.Pool[asyncpg.Record]
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection


_PG_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_PG_EPOCH_US = 946_684_800_000_000
_MICROSECOND = timedelta(microseconds=1)
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


def _encode_time(value: int | datetime) -> tuple[int]:
    if isinstance(value, int):
        return (value - _PG_EPOCH_US,)
    return ((value - _PG_EPOCH) // _MICROSECOND,)


def _decode_time(value: tuple[int]) -> datetime:
    return _PG_EPOCH + timedelta(microseconds=value[0])


def _decode_jsonb(data: bytes) -> Raw:
    return Raw(bytes(data[1:]))


def _notice_dead_peer(connection: Connection) -> None:
    """End the connection a minute after the network or the other machine is gone: a commit has no other time limit."""
    transport: asyncio.Transport = connection._transport  # pyright: ignore — asyncpg has no public access to its socket
    found = transport.get_extra_info("socket")
    with socket.fromfd(found.fileno(), found.family, socket.SOCK_STREAM) as copy:  # uvloop's object has no such call
        if copy.family not in (socket.AF_INET, socket.AF_INET6):
            return
        copy.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _KEEPALIVE.items():
            if hasattr(socket, name):  # not every system has each
                copy.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _init(connection: Connection) -> None:
    _notice_dead_peer(connection)
    # jsonb is written as JSON text in bytes and read as Raw, which answers contain as it is. Its binary form, which
    # COPY needs, is a version number and the text.
    # Rows hold times as microseconds since 1970: converting each to a datetime and back cost more than all other work
    # on a row.
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_encode_time, decoder=_decode_time, format="tuple"
    )
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=b"\x01".__add__, decoder=_decode_jsonb, format="binary"
    )


async def _reset(_connection: Connection) -> None:
    """Do nothing, where asyncpg would run four statements at each release (0.1 ms): there is no session state."""


def connect_arguments(settings: Settings, dsn: str) -> dict[str, Any]:
    """Return the arguments of asyncpg's `connect` and `create_pool` for a DSN."""
    return {
        "dsn": dsn,
        "timeout": 10,
        # Behind a pooler in transaction mode, a prepared statement may be sent to another server connection.
        "statement_cache_size": 0 if settings.database_pooler else 200,
        "server_settings": {} if settings.database_pooler else {"application_name": "tracker-backend", "jit": "off"},
    }


_UNREACHABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ssl.SSLError)


def _unreachable(error: Exception) -> SettingsError:
    if "startup parameter" in str(error):  # PgBouncer refuses parameters that it does not forward
        return SettingsError(f"a pooler is in front of the database ({error}): set TRACKER_DATABASE_POOLER=true.")
    return SettingsError(f"the database cannot be reached ({error}): check DATABASE_URL.")


async def open_pool(
    settings: Settings, dsn: str, min_size: int, max_size: int, statement_seconds: float | None
) -> Pool:
    """Open a pool. Statements end after `statement_seconds` (None: never).

    Raises SettingsError if the database cannot be reached.
    """
    try:
        return await asyncpg.create_pool(
            **connect_arguments(settings, dsn),
            min_size=min_size,
            max_size=max_size,
            command_timeout=statement_seconds,
            init=_init,
            reset=_reset,
        )
    except _UNREACHABLE as error:
        raise _unreachable(error) from error


async def open_small_pool(settings: Settings, dsn: str) -> Pool:
    """Open a pool for maintenance and commands: at most two connections, no time-out."""
    return await open_pool(settings, dsn, 0, 2, None)


async def connect(settings: Settings, dsn: str) -> Connection:
    """Open one connection outside the pools. Raises SettingsError if the database cannot be reached."""
    try:
        connection = await asyncpg.connect(**connect_arguments(settings, dsn))
    except _UNREACHABLE as error:
        raise _unreachable(error) from error
    await _init(connection)
    return connection
