"""Transports between server processes: LISTEN and NOTIFY of PostgreSQL, or Redis."""

import asyncio
import hmac
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from msgspec.structs import replace
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from tracker_backend.settings import Settings
from tracker_backend.storage.pool import Pool, connect

_HEARTBEAT_SECONDS = 10
_ANSWER_SECONDS = 5


class ConnectionLostError(Exception):
    """The connection was closed or does not answer."""


def channel_of(secret: bytes) -> str:
    """Return the channel of an installation. Its name is derived from the secret, because every login, also that of an
    analyst, can listen to and notify any channel.
    """
    return f"tracker_live_{hmac.digest(secret, b'live', 'sha256')[:16].hex()}"


class PostgresTransport:
    """LISTEN on a connection of its own, without a pooler, which in transaction mode shares connections.

    NOTIFY runs on the pool after the commits: inside the transactions it would serialize all commits.
    """

    def __init__(self, settings: Settings, dsn: str, pool: Pool, secret: bytes) -> None:
        self._channel = channel_of(secret)
        self._settings = replace(settings, database_pooler=False)
        self._dsn = dsn
        self._pool = pool

    async def listen(self, on_ready: Callable[[], None], on_message: Callable[[str | bytes], None]) -> None:
        """Listen until the connection is lost. Calls `on_ready` once, then `on_message` with each message."""
        connection = await connect(self._settings, self._dsn)
        lost = asyncio.Event()

        def end(*_: object) -> None:
            lost.set()

        def take(_connection: object, _process: int, _channel: str, payload: object) -> None:
            on_message(str(payload))

        try:
            connection.add_termination_listener(end)
            await connection.execute("set application_name = 'tracker-backend live'")
            await connection.add_listener(self._channel, take)
            on_ready()
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        await lost.wait()
                    raise ConnectionLostError("the listening connection was closed")
                await connection.execute("select 1", timeout=_ANSWER_SECONDS)  # a dead network reports no error
        finally:
            connection.terminate()

    async def send(self, text: str) -> None:
        """Notify all listeners."""
        await self._pool.execute("select pg_notify($1, $2)", self._channel, text)

    async def close(self) -> None:
        """Do nothing: the pool belongs to the database."""


class RedisTransport:
    """Publish and subscribe on a channel of this installation."""

    def __init__(self, url: str, installation: UUID) -> None:
        self._channel = f"tracker:live:{installation}"
        self._url = url
        self._sender = open_redis(url)

    async def listen(self, on_ready: Callable[[], None], on_message: Callable[[str | bytes], None]) -> None:
        """Listen until the connection is lost. Calls `on_ready` once, then `on_message` with each message."""
        async with open_redis(self._url) as redis, redis.pubsub() as subscribed:
            await subscribed.subscribe(self._channel)
            is_waiting = False
            while True:
                message: dict[str, Any] | None = await subscribed.get_message(timeout=_HEARTBEAT_SECONDS)
                if message is None:
                    if is_waiting:
                        raise ConnectionLostError("Redis does not answer")
                    await subscribed.ping()
                    is_waiting = True
                    continue
                is_waiting = False
                if message["type"] == "subscribe":
                    on_ready()
                elif message["type"] == "message":
                    on_message(message["data"])

    async def send(self, text: str) -> None:
        """Publish to all subscribers."""
        await self._sender.publish(self._channel, text)

    async def close(self) -> None:
        """Close the sending connection."""
        await self._sender.aclose()


def open_redis(url: str, seconds: float = _ANSWER_SECONDS) -> Any:  # the types of redis-py are partly unknown
    """Return a client of Redis. Its calls raise if Redis does not answer within `seconds`."""
    no_retries = Retry(NoBackoff(), 0)  # callers get the error at once and retry themselves
    made: Any = Redis
    return made.from_url(url, socket_connect_timeout=seconds, socket_timeout=seconds, retry=no_retries)
