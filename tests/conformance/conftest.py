"""What every conformance test stands on: the real pipeline on a fresh database of each tier."""

from collections.abc import AsyncIterator

import pytest

from tests.conformance.visits import LONG_AGO
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.store import Store


def maintained(database: Database, settings: Settings) -> Store:
    """The store of a server with other settings on the same database."""
    return type(database.store)(settings, database.maintained.pool, database.node)


@pytest.fixture
async def past(database: Database) -> Database:
    """A database in which the days of the last 40 can be written to, as if the server had run all the time."""
    await maintained(database, LONG_AGO).make_ahead()
    return database


@pytest.fixture
async def pipeline(settings: Settings, database: Database) -> AsyncIterator[Pipeline]:
    """Ingest as the server runs it."""
    made = Pipeline(settings, database.store)
    made.writer.start()
    yield made
    await made.writer.stop()
