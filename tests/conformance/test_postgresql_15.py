"""The oldest PostgreSQL that is supported, as plain storage."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conformance.conftest import maintained
from tests.conformance.hourly import counted, kept_from, wrong_event_hours, wrong_session_hours
from tests.conformance.visits import LONG_AGO, clicks, days_ago, now, visit
from tests.conftest import Server
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance.tasks import TASKS
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.queries.events import list_events
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.embedded import EmbeddedPostgres, find_installations

FOUND = [each for each in find_installations() if each.major == 15 and each.timescaledb is None]

pytestmark = pytest.mark.skipif(not FOUND, reason="no PostgreSQL 15 without TimescaleDB on this machine")


@pytest.fixture
def postgresql_15() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="tracker-test-15-") as folder:
        Path(folder).chmod(0o755)
        options = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        with EmbeddedPostgres(Path(folder), FOUND[0].bin_dir, options=options) as postgres:
            yield Server(postgres)


async def test_postgresql_15_migrates_writes_reads_refreshes_deletes_and_expires(postgresql_15: Server) -> None:
    settings = Settings(pool_min=1, pool_max=4)
    database = await Database.open(settings, await postgresql_15.database())
    pipeline = Pipeline(settings, database.store)
    pipeline.writer.start()
    try:
        assert (database.installation.tier, (await database.store.versions())["postgresql"][:2]) == ("plain", "15")
        await maintained(database, LONG_AGO).make_ahead()
        kept, gone = uuid4(), uuid4()
        for session in (kept, gone):
            for moment in (days_ago(35), days_ago(20), days_ago(2), now()):
                await visit(pipeline, clicks(moment, 5), session=session)
        for task in TASKS[:3]:
            await task.run_once(database.maintained)
        assert await wrong_event_hours(database.pool) == []
        assert await erase_session(database.pool, database.node, 1, gone)
        for task in TASKS:
            await task.run_once(database.maintained)
        assert await wrong_session_hours(database.pool) == []
        assert len((await list_events(database.pool, 1, kept)).data) == 15
        assert await database.pool.fetchval("select count(*) from tracker.events") == 15
        # The deleted session left the hours that were still there; the next run of retention then dropped one.
        assert await counted(database.pool) == 20
        assert await kept_from(database.pool) > days_ago(31)
    finally:
        await pipeline.writer.stop()
        await database.close()
