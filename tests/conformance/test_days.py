"""The days' chunks and partitions are there before anyone writes to them."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.conformance.visits import DAY, clicks, now, visit
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.store import SERIES

_DAYS = {
    "plain": """
        select p.relname as series, to_date(right(c.relname, 8), 'YYYYMMDD') as day
        from pg_inherits join pg_class c on c.oid = inhrelid join pg_class p on p.oid = inhparent
        where p.relnamespace = 'tracker'::regnamespace and p.relkind = 'p'""",
    "timescale": """
        select hypertable_name as series, range_start as day, range_end - range_start as span
        from timescaledb_information.chunks where hypertable_schema = 'tracker'""",
}


async def days_of(database: Database) -> dict[str, list[int]]:
    """The days of each series as the catalog has them, counted from today."""
    found: dict[str, list[int]] = {series: [] for series in SERIES}
    today = datetime.now(UTC).date()
    for row in await database.pool.fetch(_DAYS[database.store.tier]):
        day = row["day"].date() if isinstance(row["day"], datetime) else row["day"]
        assert row.get("span", DAY) == DAY
        found[row["series"]].append((day - today).days)
    return {series: sorted(days) for series, days in found.items()}


def each_series(days: range) -> dict[str, list[int]]:
    return {series: list(days) for series in SERIES}


async def test_a_migrated_database_has_the_days_of_the_late_window_and_those_ahead(database: Database) -> None:
    assert await days_of(database) == each_series(range(-8, 4))


async def test_more_days_are_made_when_the_settings_say_so(database: Database) -> None:
    settings = Settings(late_days=9, compress_after_days=9, chunks_ahead_days=6)
    store = type(database.store)(settings, database.maintained.pool, database.node, b"")
    assert await store.make_ahead() == 5 * len(SERIES)
    assert await days_of(database) == each_series(range(-10, 7))


async def test_making_days_again_makes_none(database: Database) -> None:
    before = await days_of(database)
    assert await database.maintained.make_ahead() == 0
    assert await days_of(database) == before


async def test_two_processes_make_the_same_days_at_once_and_each_is_made_once(
    database: Database, settings: Settings, dsn: str
) -> None:
    wide = Settings(chunks_ahead_days=12)
    other = await Database.open(settings, dsn)
    try:
        stores = [type(it.store)(wide, it.maintained.pool, it.node, b"") for it in (database, other)]
        made = await asyncio.gather(*(store.make_ahead() for store in stores))
    finally:
        await other.close()
    assert sum(made) == 9 * len(SERIES)
    assert await days_of(database) == each_series(range(-8, 13))


@pytest.mark.parametrize("days", [1, -6], ids=["of tomorrow", "of the late window"])
async def test_the_first_write_into_a_day_does_not_wait_for_another_first_write(
    days: int, database: Database, pipeline: Pipeline, dsn: str
) -> None:
    moment = now() + days * DAY
    other = await asyncpg.connect(dsn)
    try:
        async with other.transaction():
            await other.execute(
                "insert into tracker.events (event_id, project_id, session_id, timestamp, source, event_type, page_url,"
                " page_host, page_path) values (1, 1, gen_random_uuid(), $1, 'native', 'click', '', '', '')",
                moment,
            )
            async with asyncio.timeout(3):  # a wait for the open transaction would never end
                await visit(pipeline, clicks(moment, 2), received=now())
    finally:
        await other.close()
    assert await database.pool.fetchval("select count(*) from tracker.events") == 3


async def test_making_a_day_does_not_wait_for_an_open_transaction_of_a_writer(database: Database, dsn: str) -> None:
    other = await asyncpg.connect(dsn)
    store = type(database.store)(Settings(chunks_ahead_days=5), database.maintained.pool, database.node, b"")
    try:
        async with other.transaction():
            await other.execute(
                "insert into tracker.events (event_id, project_id, session_id, timestamp, source, event_type, page_url,"
                " page_host, page_path) values (1, 1, gen_random_uuid(), $1, 'native', 'click', '', '', '')",
                now() - timedelta(seconds=1),
            )
            async with asyncio.timeout(5):
                assert await store.make_ahead() == 2 * len(SERIES)
    finally:
        await other.close()
