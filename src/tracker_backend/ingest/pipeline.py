"""What happens to a batch between the request and its commit: the steps in their order, then the writer."""

from collections.abc import Callable
from functools import partial

from tracker_backend.ingest import steps
from tracker_backend.ingest.batch import Batch, Outcome
from tracker_backend.ingest.commit import GroupCommit
from tracker_backend.ingest.writer import Writer
from tracker_backend.masking.events import mask
from tracker_backend.settings import Settings
from tracker_backend.storage.store import Store

Step = Callable[[Batch], Batch]


class Pipeline:
    """`submit` takes a batch and returns when it is committed."""

    def __init__(self, settings: Settings, store: Store) -> None:
        place = partial(steps.place, settings=settings, node=store.node)
        self.commit = GroupCommit(store)
        self.writer = Writer(settings, self.commit)
        self.steps: list[Step] = [
            steps.read_times,
            mask,  # first, so that not even a digest is made of a secret
            steps.identify,
            steps.fit,
            steps.fill_pages,
            steps.describe_agent,
            partial(steps.read_clock, settings=settings),
            steps.count,
            place,
        ]

    async def submit(self, batch: Batch) -> Outcome:
        """Runs the steps and waits for the commit.

        Raises Invalid when the batch cannot be stored, Unavailable when the queue is full or the database is away.
        """
        for step in self.steps:
            batch = step(batch)
        return await self.writer.write(batch)
