"""Group commit: all batches that arrived while one transaction ran are written by the next.

Two lanes, so that events of today never wait for images or old chunks. A lane never waits for a group to fill: without
load a batch's latency is that of its own transaction. The batches of a session in a lane are committed in their order.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import asyncpg
from msgspec import Struct

from tracker_backend.errors import Conflict, Invalid, TrackerError, Unavailable
from tracker_backend.ingest.batch import Batch, Lane, Outcome, Placed
from tracker_backend.ingest.commit import GroupCommit, Written
from tracker_backend.metrics import BATCHES, EVENTS, GROUPS, QUEUE_BYTES
from tracker_backend.settings import Settings

GROUP_BYTES = 8 * 1024 * 1024
GROUP_BATCHES = 500
_ATTEMPTS = 3
# Transactions of a lane that run at once, each with the batches of its share of the sessions: while one waits for its
# commit the rows of the other are made (15 % more events a second; a third gained nothing).
_QUEUES = {Lane.CURRENT: 2, Lane.BULK: 1}
_log = logging.getLogger(__name__)

# Errors that a batch carries in itself: its data does not fit. Everything else is the database's or the network's.
_BROKEN = (
    asyncpg.DataError,  # class 22, and what asyncpg itself cannot encode
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.exceptions.StatementTooComplexError,
)
_TRY_AGAIN = (
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.SerializationError,
)


class Listener(Protocol):
    """Is called after each group. It must not wait for anything."""

    def publish(self, batches: Sequence[Placed], /) -> None:
        """These batches are committed, and were not stored before."""
        ...

    def outcome_unknown(self, batches: Sequence[Placed], /) -> None:
        """These batches may be committed: the database did not answer."""
        ...


class _Waiting(Struct):
    placed: Placed
    done: asyncio.Future[Outcome]


class _Queue:
    """Batches that wait for the next transaction."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiting] = deque()
        self.wake = asyncio.Event()


class Writer:
    """`start`, then `write` from any number of requests, then `stop`, which writes what waits."""

    def __init__(self, settings: Settings, commit: GroupCommit) -> None:
        self._settings = settings
        self._group_commit = commit
        self._queues = {lane: [_Queue() for _ in range(number)] for lane, number in _QUEUES.items()}
        self._tasks: list[asyncio.Task[None]] = []
        self._bytes = dict.fromkeys(Lane, 0)
        self._stopping = False
        self._is_away = False
        self.listener: Listener | None = None

    def start(self) -> None:
        """Starts the lanes."""
        self._tasks = [
            asyncio.create_task(self._run(lane, queue), name=f"writer-{lane.value}")
            for lane, queues in self._queues.items()
            for queue in queues
        ]

    async def stop(self) -> None:
        """Refuses new batches, commits those that wait, and ends the lanes.

        It waits no longer than a request does: a commit may wait for a standby that is away, until its connection ends.
        """
        self._stopping = True
        for queues in self._queues.values():
            for queue in queues:
                queue.wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.request_timeout):
                await asyncio.shield(asyncio.gather(*self._tasks))

    @property
    def is_busy(self) -> bool:
        """More than half of a lane's queue, which is half of all, is full."""
        return max(self._bytes.values()) * 4 > self._settings.queue_bytes

    async def write(self, placed: Placed) -> Outcome:
        """Queues a batch and returns once it is committed.

        Raises Unavailable at once when the queue is full, or when the commit takes longer than the request may;
        it may still happen then, and the client's retry is recognized. Raises Invalid when the data cannot be stored,
        Conflict when another batch has its name.
        """
        if self._stopping:
            raise Unavailable("the server is stopping: send the batch again.")
        # Half for each lane: one that waits for an old chunk must not fill the other's queue.
        lane, size = placed.lane, placed.batch.size
        if self._bytes[lane] + size > self._settings.queue_bytes // 2:
            BATCHES.labels("queue_full").inc()
            raise Unavailable("the queue for the database is full: send the batch again.")
        waiting = _Waiting(placed, asyncio.get_running_loop().create_future())
        self._bytes[lane] += size
        QUEUE_BYTES.set(sum(self._bytes.values()))
        queues = self._queues[lane]
        queue = queues[placed.batch.session_id.int % len(queues)]
        queue.waiting.append(waiting)
        queue.wake.set()
        try:
            async with asyncio.timeout(self._settings.request_timeout):
                return await asyncio.shield(waiting.done)
        except TimeoutError:
            waiting.done.add_done_callback(_forget)
            raise Unavailable("the database is slow: send the batch again, it is stored once.") from None

    async def _run(self, lane: Lane, queue: "_Queue") -> None:
        while True:
            if not queue.waiting:
                if self._stopping:
                    return
                queue.wake.clear()
                await queue.wake.wait()
                continue
            group = self._take(queue.waiting)
            await self._commit(group)
            self._bytes[lane] -= sum(waiting.placed.batch.size for waiting in group)
            QUEUE_BYTES.set(sum(self._bytes.values()))

    @staticmethod
    def _take(queue: deque[_Waiting]) -> list[_Waiting]:
        group = [queue.popleft()]
        size = group[0].placed.batch.size
        while queue and len(group) < GROUP_BATCHES and size + queue[0].placed.batch.size <= GROUP_BYTES:
            size += queue[0].placed.batch.size
            group.append(queue.popleft())
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        """Writes a group. A batch that breaks it is found by halving and fails alone."""
        try:
            written = await self._attempt([waiting.placed for waiting in group])
        except asyncpg.CheckViolationError:  # no partition for a row: maintenance failed, not the client
            _log.exception(
                "a group of %d batches found no partition: does `tracker-backend maintain` work?", len(group)
            )
            _fail(group, Unavailable("the database has no place for these times yet: send the batch again."))
        except _BROKEN as error:
            if len(group) > 1:
                half = len(group) // 2
                await self._commit(group[:half])
                await self._commit(group[half:])
                return
            BATCHES.labels("refused").inc()
            _fail(group, Invalid(f"the database cannot hold this batch: {error}."))
        except Exception as error:
            self._log_outage(error)
            _fail(group, Unavailable("the database is away: send the batch again."))
            self._notify(lambda listener: listener.outcome_unknown([waiting.placed for waiting in group]))
        else:
            self._log_outage(None)
            _count(written)
            for waiting, each in zip(group, written, strict=True):
                if waiting.done.done():
                    continue
                if each.outcome.conflicts:
                    waiting.done.set_exception(_conflict(waiting.placed.batch))
                else:
                    waiting.done.set_result(each.outcome)
            self._notify(lambda listener: listener.publish([each.placed for each in written if each.outcome.is_new]))

    def _notify(self, call: Callable[[Listener], None]) -> None:
        if self.listener is None:
            return
        try:
            call(self.listener)
        except Exception:  # the batches are stored all the same
            _log.exception("the listener failed: subscribers may miss batches until they look again")

    def _log_outage(self, error: Exception | None) -> None:
        """Logs an outage once at its begin and once at its end; a defect of ours each time."""
        if error is None:
            if self._is_away:
                _log.warning("the database is back: batches are written again")
        elif not isinstance(error, OSError | asyncpg.PostgresError | asyncpg.InterfaceError | TrackerError):
            _log.error("a group of batches failed", exc_info=error)
        elif not self._is_away:
            _log.warning("the database is away, batches are answered 503: %s", error)
        self._is_away = error is not None

    async def _attempt(self, group: list[Placed]) -> list[Written]:
        for _ in range(_ATTEMPTS - 1):
            with suppress(*_TRY_AGAIN):
                return await self._group_commit.write(group)
        return await self._group_commit.write(group)


def _count(written: list[Written]) -> None:
    GROUPS.observe(len(written))
    events: Counter[str] = Counter()
    for each in written:
        if each.outcome.is_new:
            events[each.placed.batch.source] += len(each.placed.batch.events)
    conflicts = sum(each.outcome.conflicts for each in written)
    BATCHES.labels("repeated").inc(sum(each.outcome.repeated for each in written) - conflicts)
    BATCHES.labels("conflict").inc(conflicts)
    BATCHES.labels("stored").inc(sum(each.outcome.is_new for each in written))
    for source, number in events.items():
        EVENTS.labels(source).inc(number)


def _conflict(batch: Batch) -> Conflict:
    kind = "events" if batch.recording is None else "rrweb events"
    return Conflict(
        f"a batch of {kind} is stored in this session under the name {batch.name!r}, with other content, so nothing of"
        " this batch was stored: send it under a name of its own."
    )


def _fail(group: list[_Waiting], error: TrackerError) -> None:
    for waiting in group:
        if not waiting.done.done():
            waiting.done.set_exception(error)


def _forget(done: asyncio.Future[Outcome]) -> None:
    """Retrieves the error of a batch whose sender no longer waits, so that asyncio does not report it as lost."""
    if not done.cancelled():
        done.exception()
