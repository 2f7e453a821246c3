"""What every conformance test stands on: the real pipeline on a fresh database of each tier."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from tests.conformance.visits import LONG_AGO, now
from tests.conftest import Server, other_process
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.store import Store


def maintained(database: Database, settings: Settings) -> Store:
    """The store of a server with other settings on the same database."""
    return type(database.store)(settings, database.maintained.pool, database.node, database.store.secret)


@pytest.fixture(scope="session")
def pasts() -> dict[tuple[Server, date], str]:
    """A database a tier in which the days of the last 40 can be written to; each test gets a copy. After midnight they
    are other days, so it is made anew.
    """
    return {}


@pytest.fixture
async def dsn(
    request: pytest.FixtureRequest, server: Server, pasts: dict[tuple[Server, date], str]
) -> AsyncIterator[str]:
    """A fresh migrated database, for a test of the `past` with its days."""
    if "past" not in request.fixturenames:
        made = await server.database()
    else:
        key = server, now().date()
        if key not in pasts:
            pasts[key] = await _past(server)
        made = await server.copy(pasts[key])
    yield made
    await server.drop(made)


async def _past(server: Server) -> str:
    dsn = await server.database()
    database = await Database.open(Settings(pool_min=1), dsn)
    await maintained(database, LONG_AGO).make_ahead()
    await database.pool.execute("delete from tracker.nodes")
    await database.close()
    return dsn


@pytest.fixture
def past(database: Database) -> Database:
    """A database in which the days of the last 40 can be written to, as if the server had run all the time."""
    return database


@pytest.fixture
async def second(settings: Settings, dsn: str) -> AsyncIterator[Pipeline]:
    """Ingest of another process on the same database."""
    async with other_process(settings, dsn) as made:
        yield made
