"""Ways between server processes: LISTEN and NOTIFY of the database, or Redis."""

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


class LostError(Exception):
    """The connection ended."""


def channel_of(secret: bytes) -> str:
    """The channel of an installation. Whoever may connect to the database, as analysts may, can listen to any channel
    and notify it, so its name is made of the secret.
    """
    return f"tracker_live_{hmac.digest(secret, b'live', 'sha256')[:16].hex()}"


class PostgresTransport:
    """LISTEN on a connection of its own, straight to the database (a pooler in transaction mode gives it to others);
    NOTIFY on the pool, after the commits: within them it would make all commits wait for each other.
    """

    def __init__(self, settings: Settings, dsn: str, pool: Pool, secret: bytes) -> None:
        self._channel = channel_of(secret)
        self._settings = replace(settings, database_pooler=False)
        self._dsn = dsn
        self._pool = pool

    async def hear(self, ready: Callable[[], None], heard: Callable[[str | bytes], None]) -> None:
        """Listens until the connection is lost."""
        connection = await connect(self._settings, self._dsn)
        lost = asyncio.Event()

        def end(*_: object) -> None:
            lost.set()

        def take(_connection: object, _process: int, _channel: str, payload: object) -> None:
            heard(str(payload))

        try:
            connection.add_termination_listener(end)
            await connection.execute("set application_name = 'tracker-backend live'")
            await connection.add_listener(self._channel, take)
            ready()
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_HEARTBEAT_SECONDS):
                        await lost.wait()
                    raise LostError("the listening connection was closed")
                await connection.execute("select 1", timeout=_ANSWER_SECONDS)  # a dead network tells nobody
        finally:
            connection.terminate()

    async def send(self, text: str) -> None:
        """Notifies all who listen."""
        await self._pool.execute("select pg_notify($1, $2)", self._channel, text)

    async def close(self) -> None:
        """Nothing is held: the pool is the database's."""


class RedisTransport:
    """Publish and subscribe, on a channel of this installation's own."""

    def __init__(self, url: str, installation: UUID) -> None:
        self._channel = f"tracker:live:{installation}"
        self._url = url
        self._sender = open_redis(url)

    async def hear(self, ready: Callable[[], None], heard: Callable[[str | bytes], None]) -> None:
        """Listens until the connection is lost."""
        async with open_redis(self._url) as redis, redis.pubsub() as subscribed:
            await subscribed.subscribe(self._channel)
            waits = False
            while True:
                message: dict[str, Any] | None = await subscribed.get_message(timeout=_HEARTBEAT_SECONDS)
                if message is None:
                    if waits:
                        raise LostError("Redis does not answer")
                    await subscribed.ping()
                    waits = True
                    continue
                waits = False
                if message["type"] == "subscribe":
                    ready()
                elif message["type"] == "message":
                    heard(message["data"])

    async def send(self, text: str) -> None:
        """Publishes to all who are subscribed."""
        await self._sender.publish(self._channel, text)

    async def close(self) -> None:
        """Ends the sending connection."""
        await self._sender.aclose()


def open_redis(url: str, seconds: float = _ANSWER_SECONDS) -> Any:  # its own types are partly unknown
    """A Redis that answers within so many seconds, or raises."""
    never = Retry(NoBackoff(), 0)  # whoever waits is told at once, and tries again
    made: Any = Redis
    return made.from_url(url, socket_connect_timeout=seconds, socket_timeout=seconds, retry=never)
