"""What happens to a batch between the request and its commit: the steps in their order, then the writer."""

import time
from collections.abc import Callable
from typing import cast

from tracker_backend.ingest.batch import Batch, Drop, Outcome, Placed
from tracker_backend.ingest.clock import estimate_clock_offset
from tracker_backend.ingest.commit import GroupCommit
from tracker_backend.ingest.dropping import drop_by_privacy_signal, drop_unsampled
from tracker_backend.ingest.page_limit import PageLimit
from tracker_backend.ingest.rows import build_rows
from tracker_backend.ingest.steps import (
    count_events,
    describe_agent,
    fill_pages,
    identify,
    mask_secrets,
    pack_recording,
    read_times,
    truncate_fields,
)
from tracker_backend.ingest.writer import Writer
from tracker_backend.metrics import STEP_SECONDS
from tracker_backend.settings import Settings
from tracker_backend.storage.store import Store
from tracker_backend.threads import run_in_thread_if_large

Step = Callable[[Batch, Settings], Batch | Drop]
"""Returns the batch, or why it is dropped. Raises Invalid for a batch that cannot be stored."""

STEPS: tuple[Step, ...] = (
    drop_by_privacy_signal,
    drop_unsampled,
    read_times,
    mask_secrets,
    pack_recording,
    identify,
    truncate_fields,
    fill_pages,
    describe_agent,
    estimate_clock_offset,
    count_events,
    # `build_rows` follows, in `Pipeline.place`. The commit repeats it when the database knows more of the session.
)


_FLUSH_SECONDS = 1.0
"""How often the measured times go to the metrics: one `inc` a step and batch would cost a tenth of the steps."""


class Pipeline:
    """`submit` takes a batch and returns when it is committed."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._node = store.node
        self._steps = STEPS
        names = [step.__name__ for step in (*STEPS, build_rows)]
        self._counters = [STEP_SECONDS.labels(name) for name in names]
        self._seconds = [0.0] * len(names)
        self._flushed_at = 0.0
        self._pages = PageLimit()
        self.commit = GroupCommit(settings, store, self._pages)
        self.writer = Writer(settings, self.commit)

    async def submit(self, batch: Batch) -> Outcome:
        """Runs the steps and waits for the commit.

        Raises Invalid when the batch cannot be stored, Unavailable when the queue is full or the database is away.
        """
        prepared = await self.prepare(batch)
        if isinstance(prepared, Drop):
            return Outcome(repeated=False, ref=None, created=False, started_at=None, dropped=prepared)
        return await self.store(prepared)

    async def prepare(self, batch: Batch) -> Batch | Drop:
        """Runs the steps, of a large batch in a thread, so that other requests go on."""
        size = max(batch.size, sum(map(len, batch.rrweb)))
        return await run_in_thread_if_large(size, self.run_steps, batch)

    def run_steps(self, batch: Batch) -> Batch | Drop:
        """Runs the steps up to the first that drops the batch, and measures each."""
        seconds = self._seconds  # two threads may lose a summand of one another: it is a metric
        begin = time.perf_counter()
        for index, step in enumerate(self._steps):
            result = step(batch, self._settings)
            end = time.perf_counter()
            seconds[index] += end - begin
            begin = end
            if result.__class__ is Drop:
                return result
            batch = cast("Batch", result)
        return batch

    async def store(self, batch: Batch) -> Outcome:
        """Builds the rows of a prepared batch and waits for the commit."""
        return await self.writer.write(self.place(batch))

    def place(self, batch: Batch) -> Placed:
        """Builds the rows of a prepared batch, by what the batch itself says of its session."""
        begin = time.perf_counter()
        placed = build_rows(batch, None, self._settings, self._node, self._pages)
        end = time.perf_counter()
        self._seconds[-1] += end - begin
        if end - self._flushed_at > _FLUSH_SECONDS:
            self._flush(end)
        return placed

    def _flush(self, now: float) -> None:
        self._flushed_at = now
        for index, counter in enumerate(self._counters):
            counter.inc(self._seconds[index])
            self._seconds[index] = 0.0
