"""Group commit: all batches that arrived while one transaction ran are written by the next.

Two lanes, so that events of today never wait for images or old chunks. A lane never waits for a group to fill: without
load a batch's latency is that of its own transaction. The batches of a session in a lane are committed in their order.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import asyncpg
from msgspec import Struct

from tracker_backend.errors import Invalid, TrackerError, Unavailable
from tracker_backend.ingest.batch import Batch, Lane, Outcome
from tracker_backend.ingest.commit import GroupCommit
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
    """Who is told of batches, without waiting for anything."""

    def publish(self, batches: Sequence[Batch], /) -> None:
        """These are committed, and were not stored before."""
        ...

    def outcome_unknown(self, batches: Sequence[Batch], /) -> None:
        """These may be committed: the database did not answer."""
        ...


class _Waiting(Struct):
    batch: Batch
    done: asyncio.Future[Outcome]


class _Queue:
    """Batches that one transaction after the other takes."""

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
        """Refuses new batches, commits those that wait, and ends the lanes."""
        self._stopping = True
        for queues in self._queues.values():
            for queue in queues:
                queue.wake.set()
        await asyncio.gather(*self._tasks)

    @property
    def is_busy(self) -> bool:
        """More than half of a lane's queue, which is half of all, is full."""
        return max(self._bytes.values()) * 4 > self._settings.queue_bytes

    async def write(self, batch: Batch) -> Outcome:
        """Queues a batch and returns once it is committed.

        Raises Unavailable at once when the queue is full, or when the commit takes longer than the request may;
        it may still happen then, and the client's retry is recognised. Raises Invalid when the data cannot be stored.
        """
        if self._stopping:
            raise Unavailable("the server is stopping: send the batch again.")
        # Half for each lane: one that waits for an old chunk must not fill the other's queue.
        if self._bytes[batch.lane] + batch.size > self._settings.queue_bytes // 2:
            BATCHES.labels("queue_full").inc()
            raise Unavailable("the queue for the database is full: send the batch again.")
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._bytes[batch.lane] += batch.size
        QUEUE_BYTES.set(sum(self._bytes.values()))
        queues = self._queues[batch.lane]
        queue = queues[batch.session_id.int % len(queues)]
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
            self._bytes[lane] -= sum(waiting.batch.size for waiting in group)
            QUEUE_BYTES.set(sum(self._bytes.values()))

    @staticmethod
    def _take(queue: deque[_Waiting]) -> list[_Waiting]:
        group = [queue.popleft()]
        size = group[0].batch.size
        while queue and len(group) < GROUP_BATCHES and size + queue[0].batch.size <= GROUP_BYTES:
            size += queue[0].batch.size
            group.append(queue.popleft())
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        """Writes a group. A batch that breaks it is found by halving and fails alone."""
        try:
            outcomes = await self._attempt([waiting.batch for waiting in group])
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
            self._tell_away(error)
            _fail(group, Unavailable("the database is away: send the batch again."))
            self._tell(group)
        else:
            self._tell_away(None)
            _count(group, outcomes)
            for waiting, outcome in zip(group, outcomes, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(outcome)
            self._tell(group, outcomes)

    def _tell(self, group: list[_Waiting], outcomes: list[Outcome] | None = None) -> None:
        """Tells the listener of a committed group, or, without outcomes, of one that may be."""
        if self.listener is None:
            return
        try:
            if outcomes is None:
                self.listener.outcome_unknown([waiting.batch for waiting in group])
            else:
                pairs = zip(group, outcomes, strict=True)
                self.listener.publish([waiting.batch for waiting, outcome in pairs if outcome.is_new])
        except Exception:  # the batches are stored all the same
            _log.exception("subscribers were not told of %d batches", len(group))

    def _tell_away(self, error: Exception | None) -> None:
        """Logs an outage at its beginning and its end, not for each group of it; a defect of ours each time."""
        if error is None:
            if self._is_away:
                _log.warning("batches are written again")
        elif not isinstance(error, OSError | asyncpg.PostgresError | asyncpg.InterfaceError | TrackerError):
            _log.error("a group of batches failed", exc_info=error)
        elif not self._is_away:
            _log.warning("batches are not written and answered 503: %s", error)
        self._is_away = error is not None

    async def _attempt(self, batches: list[Batch]) -> list[Outcome]:
        for _ in range(_ATTEMPTS - 1):
            with suppress(*_TRY_AGAIN):
                return await self._group_commit.write(batches)
        return await self._group_commit.write(batches)


def _count(group: list[_Waiting], outcomes: list[Outcome]) -> None:
    GROUPS.observe(len(group))
    events: Counter[str] = Counter()
    for waiting, outcome in zip(group, outcomes, strict=True):
        if outcome.is_new:
            events[waiting.batch.source] += len(waiting.batch.events)
    repeated = sum(outcome.repeated for outcome in outcomes)
    BATCHES.labels("repeated").inc(repeated)
    BATCHES.labels("stored").inc(sum(outcome.is_new for outcome in outcomes))
    for source, number in events.items():
        EVENTS.labels(source).inc(number)


def _fail(group: list[_Waiting], error: TrackerError) -> None:
    for waiting in group:
        if not waiting.done.done():
            waiting.done.set_exception(error)


def _forget(done: asyncio.Future[Outcome]) -> None:
    """Takes the error of a batch whose sender no longer waits, so that it is not reported as never seen."""
    if not done.cancelled():
        done.exception()
