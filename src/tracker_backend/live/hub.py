"""Who watches what in this process, and how they learn of each batch: at once by reference, and where that may have
failed by looking into the database.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Literal

from tracker_backend.errors import Unavailable
from tracker_backend.ingest.batch import Placed
from tracker_backend.live import stored
from tracker_backend.live.peers import Peers
from tracker_backend.live.reader import AWAY, Reader
from tracker_backend.live.reference import Key, Reference, reference_to
from tracker_backend.live.seen import OVERLAP_MS, id_at
from tracker_backend.live.subscription import GONE, Subscription
from tracker_backend.live.transports import PostgresTransport, RedisTransport
from tracker_backend.metrics import LIVE_SUBSCRIBERS
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.nodes import milliseconds_of

POLL_SECONDS = 1.0
"""How often sessions are looked at while other processes are not heard."""
CHECK_SECONDS = 15.0
"""The same while they are: for what nobody tells, such as a commit whose answer was lost."""
RESTART = 1012
"""Close code: the server ends, connect again."""
_log = logging.getLogger(__name__)


class Hub:
    """`start`; `publish` for writers; `subscribe` and `unsubscribe` for subscribers; `end` and `close`."""

    def __init__(self, settings: Settings, database: Database, dsn: str) -> None:
        self._settings = settings
        self._pool = database.pool
        self._has_redis = settings.redis_url is not None
        self.reader = Reader(database.pool)
        self._subscriptions: dict[Key, set[Subscription]] = {}
        self._number = 0
        self._counts: dict[Key, int] = {}
        self._look_now = asyncio.Event()
        self._is_ending = False
        self._watch_task: asyncio.Task[None] | None = None
        # Its own PostgreSQL is one server's: without more workers there is nobody else.
        alone = settings.database_url is None and settings.workers == 1 and not self._has_redis
        self._peers = Peers(None if alone else _transport(settings, database, dsn), self, alone=alone)

    def start(self) -> None:
        """Begins to hear other processes and to look after subscribers."""
        self._peers.start()
        self._watch_task = asyncio.create_task(self._watch(), name="live-watch")

    @property
    def redis(self) -> Literal["connected", "disconnected", "disabled"]:
        """How it is with Redis."""
        if not self._has_redis:
            return "disabled"
        return "connected" if self._peers.is_up else "disconnected"

    def publish(self, batches: Iterable[Placed]) -> None:
        """Tells subscribers here and in other processes of committed batches. Waits for nothing."""
        is_wanted = self._peers.want_batches
        if not self._subscriptions and not is_wanted:
            return
        references = [reference for batch in batches if (reference := reference_to(batch)) is not None]
        self.take(references)
        if is_wanted and references:
            self._peers.tell(references)

    def doubt(self, batches: Sequence[Placed]) -> None:
        """The commit of batches failed so that they may be stored all the same: who could want them looks."""
        lowest = [reference.lowest for batch in batches if (reference := reference_to(batch)) is not None]
        if lowest:
            self.look_back(min(lowest))
            if self._peers.want_batches:
                self._peers.lose(min(lowest))

    def take(self, references: Iterable[Reference]) -> None:
        """Gives batches to the subscribers of their sessions."""
        if self._subscriptions:
            for reference in references:
                for subscription in self._subscriptions.get(reference.key, ()):
                    subscription.offer(reference)

    def look_back(self, since: int | None = None) -> None:
        """Makes all subscribers look for what they may have missed."""
        for subscriptions in self._subscriptions.values():
            for subscription in subscriptions:
                subscription.look_back(_since(since))

    def link_changed(self) -> None:
        """Other processes are heard again, or not any more."""
        self._look_now.set()

    @property
    def is_full(self) -> bool:
        """Whether no more subscribers are taken."""
        return self._number >= self._settings.live_subscribers

    def subscribe(self, key: Key) -> Subscription:
        """A subscriber of a session, who gets what is committed from now on; Unavailable when there are too many."""
        if self._is_ending:
            raise Unavailable("the server is stopping: connect again.")
        if self.is_full:
            raise Unavailable(
                f"{self._number} subscribers watch in this process (TRACKER_LIVE_SUBSCRIBERS): try again later."
            )
        subscription = Subscription(key)
        self._subscriptions.setdefault(key, set()).add(subscription)
        self._number += 1
        LIVE_SUBSCRIBERS.set(self._number)
        self._peers.want(True)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forgets a subscriber."""
        found = self._subscriptions.get(subscription.key, set())
        if subscription in found:
            found.remove(subscription)
            self._number -= 1
        if not found:
            self._subscriptions.pop(subscription.key, None)
            self._counts.pop(subscription.key, None)
        LIVE_SUBSCRIBERS.set(self._number)
        self._peers.want(bool(self._number))

    def end(self) -> None:
        """Ends all subscribers: the server stops."""
        self._is_ending = True
        for subscriptions in list(self._subscriptions.values()):
            for subscription in list(subscriptions):
                subscription.end(RESTART, "the server is stopping: connect again.")

    async def close(self) -> None:
        """Tells the others what is left to tell, and ends what runs. After the last commit."""
        self.end()
        if self._watch_task is not None:
            self._watch_task.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch_task
        await self._peers.stop()
        await self.reader.close()

    async def _watch(self) -> None:
        while True:
            self._look_now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS if self._peers.is_up else POLL_SECONDS):
                    await self._look_now.wait()
            if self._subscriptions:
                try:
                    await self._look()
                except AWAY as error:
                    _log.debug("live could not look into the database: %s", error)
                except Exception:
                    _log.exception("live could not look into the database")

    async def _look(self) -> None:
        """Makes the subscribers of sessions that got something look for it; ends those of sessions that are gone."""
        asked = list(self._subscriptions)
        found = await stored.counts(self._pool, asked)
        for key in self._counts.keys() & set(asked) - found.keys():
            del self._counts[key]
            for subscription in list(self._subscriptions.get(key, ())):
                subscription.end(GONE, "this session was deleted.")
        for key, count in found.items():
            if self._counts.get(key) != count and key in self._subscriptions:
                self._counts[key] = count
                for subscription in self._subscriptions[key]:
                    subscription.look_back(_since(None))


def _since(identifier: int | None) -> int:
    """An id to look from: a commit may come a while after its ids, and a lost connection is noticed after a while."""
    recent = time.time_ns() // 1_000_000 - 2 * OVERLAP_MS
    return id_at(recent if identifier is None else min(recent, milliseconds_of(identifier) - OVERLAP_MS))


def _transport(settings: Settings, database: Database, dsn: str) -> PostgresTransport | RedisTransport | None:
    """How other processes are reached; None behind a pooler without a direct way: then the database is asked."""
    if settings.redis_url is not None:
        return RedisTransport(settings.redis_url, database.installation.installation_id)
    secret = database.installation.secret
    if settings.database_direct_url is not None:
        return PostgresTransport(settings, settings.database_direct_url, database.pool, secret)
    return None if settings.database_pooler else PostgresTransport(settings, dsn, database.pool, secret)
