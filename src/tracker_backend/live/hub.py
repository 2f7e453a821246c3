"""The publish/subscribe hub of this process. It delivers references to committed batches to the subscribers of their
sessions. When a reference may have been lost, subscribers check the database.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Literal

from tracker_backend.errors import Unavailable
from tracker_backend.ingest.batch import Placed
from tracker_backend.live import session_rows
from tracker_backend.live.batch_reference import BatchReference, Key, reference_of
from tracker_backend.live.id_set import OVERLAP_MS, lowest_id_at
from tracker_backend.live.peers import Peers
from tracker_backend.live.reader import UNAVAILABLE_ERRORS, Reader
from tracker_backend.live.subscription import GONE, Subscription
from tracker_backend.live.transports import PostgresTransport, RedisTransport
from tracker_backend.metrics import LIVE_SUBSCRIBERS
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.nodes import milliseconds_of

POLL_SECONDS = 1.0
"""How often the database is checked while there are no messages from other processes."""
CHECK_SECONDS = 15.0
"""How often it is checked otherwise: for batches that nobody announces, such as a commit whose answer was lost."""
RESTART = 1012
"""Close code: the server is stopping, connect again."""
_log = logging.getLogger(__name__)


class Hub:
    """Writers call `publish` and `outcome_unknown`, subscribers `subscribe` and `unsubscribe`."""

    def __init__(self, settings: Settings, database: Database, dsn: str) -> None:
        self._settings = settings
        self._pool = database.pool
        self._has_redis = settings.redis_url is not None
        self.reader = Reader(database.pool)
        self._subscriptions: dict[Key, set[Subscription]] = {}
        self._number = 0
        self._counts: dict[Key, int] = {}
        self._check_now = asyncio.Event()
        self._is_ending = False
        self._check_task: asyncio.Task[None] | None = None
        # An embedded PostgreSQL belongs to one server, so with one worker there is no other process.
        alone = settings.database_url is None and settings.workers == 1 and not self._has_redis
        self._peers = Peers(None if alone else _transport(settings, database, dsn), self, alone=alone)

    def start(self) -> None:
        """Start to listen to other processes and to check the database."""
        self._peers.start()
        self._check_task = asyncio.create_task(self._check_repeatedly(), name="live-check")

    @property
    def redis(self) -> Literal["connected", "disconnected", "disabled"]:
        """State of the connection to Redis."""
        if not self._has_redis:
            return "disabled"
        return "connected" if self._peers.is_up else "disconnected"

    def publish(self, batches: Iterable[Placed]) -> None:
        """Announce committed batches to subscribers here and in other processes. Never waits."""
        is_wanted = self._peers.is_wanted
        if not self._subscriptions and not is_wanted:
            return
        references = [reference for batch in batches if (reference := reference_of(batch)) is not None]
        self.deliver(references)
        if is_wanted and references:
            self._peers.announce(references)

    def outcome_unknown(self, batches: Sequence[Placed]) -> None:
        """The commit of these batches failed, but may have succeeded in the database: subscribers check for them."""
        lowest = [reference.lowest for batch in batches if (reference := reference_of(batch)) is not None]
        if lowest:
            self.recheck(min(lowest))
            if self._peers.is_wanted:
                self._peers.request_resync(min(lowest))

    def deliver(self, references: Iterable[BatchReference]) -> None:
        """Deliver batches to the subscribers of their sessions."""
        if self._subscriptions:
            for reference in references:
                for subscription in self._subscriptions.get(reference.key, ()):
                    subscription.enqueue(reference)

    def recheck(self, since: int | None = None) -> None:
        """Let all subscribers check the database for batches that they may have missed."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.recheck(_since(since))

    def connection_changed(self) -> None:
        """The connection to other processes was lost or restored."""
        self._check_now.set()

    @property
    def is_full(self) -> bool:
        """Whether the limit of subscribers is reached."""
        return self._number >= self._settings.live_subscribers

    def subscribe(self, key: Key) -> Subscription:
        """Subscribe to the batches of a session that are committed from now on. Raises Unavailable at the limit."""
        if self._is_ending:
            raise Unavailable("the server is stopping: connect again.")
        if self.is_full:
            raise Unavailable(
                f"this process has {self._number} subscribers, its limit (TRACKER_LIVE_SUBSCRIBERS): try again later."
            )
        subscription = Subscription(key)
        self._subscriptions.setdefault(key, set()).add(subscription)
        self._number += 1
        LIVE_SUBSCRIBERS.set(self._number)
        self._peers.set_interest(True)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription."""
        found = self._subscriptions.get(subscription.key, set())
        if subscription in found:
            found.remove(subscription)
            self._number -= 1
        if not found:
            self._subscriptions.pop(subscription.key, None)
            self._counts.pop(subscription.key, None)
        LIVE_SUBSCRIBERS.set(self._number)
        self._peers.set_interest(bool(self._number))

    def end(self) -> None:
        """End all subscriptions, because the server stops."""
        self._is_ending = True
        for subscriptions in list(self._subscriptions.values()):
            for subscription in list(subscriptions):
                subscription.end(RESTART, "the server is stopping: connect again.")

    async def close(self) -> None:
        """Send waiting announcements and stop all tasks. Call it after the last commit."""
        self.end()
        if self._check_task is not None:
            self._check_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._check_task
        await self._peers.stop()
        await self.reader.close()

    async def _check_repeatedly(self) -> None:
        while True:
            self._check_now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS if self._peers.is_up else POLL_SECONDS):
                    await self._check_now.wait()
            if self._subscriptions:
                try:
                    await self._check()
                except UNAVAILABLE_ERRORS as error:
                    _log.debug("live could not check the database: %s", error)
                except Exception:
                    _log.exception("live could not check the database")

    async def _check(self) -> None:
        """Let the subscribers of sessions with new events check for them; end those of deleted sessions."""
        keys = list(self._subscriptions)
        counts = await session_rows.count_events(self._pool, keys)
        for key in self._counts.keys() & set(keys) - counts.keys():
            del self._counts[key]
            for subscription in list(self._subscriptions.get(key, ())):
                subscription.end(GONE, "this session was deleted.")
        for key, count in counts.items():
            if self._counts.get(key) != count and key in self._subscriptions:
                self._counts[key] = count
                for subscription in self._subscriptions[key]:
                    subscription.recheck(_since(None))


def _since(identifier: int | None) -> int:
    """Return the id to check from. A commit may be later than its ids, and a lost connection is noticed late."""
    recent = time.time_ns() // 1_000_000 - 2 * OVERLAP_MS
    return lowest_id_at(recent if identifier is None else min(recent, milliseconds_of(identifier) - OVERLAP_MS))


def _transport(settings: Settings, database: Database, dsn: str) -> PostgresTransport | RedisTransport | None:
    """Return the transport between processes; None behind a pooler without a direct DSN: the database is polled."""
    if settings.redis_url is not None:
        return RedisTransport(settings.redis_url, database.installation.installation_id)
    secret = database.installation.secret
    if settings.database_direct_url is not None:
        return PostgresTransport(settings, settings.database_direct_url, database.pool, secret)
    return None if settings.database_pooler else PostgresTransport(settings, dsn, database.pool, secret)
