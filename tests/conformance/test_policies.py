"""TimescaleDB's policies carry the settings, and `migrate` applies those of today."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.conformance.visits import DAY
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.pool import Pool

pytestmark = pytest.mark.tiers("timescale")

JOBS = """
    select proc_name, hypertable_schema || '.' || hypertable_name as of, schedule_interval, config
    from timescaledb_information.jobs where hypertable_schema = 'tracker'"""


async def policies(pool: Pool) -> dict[tuple[str, str], tuple[timedelta, dict[str, Any]]]:
    """The policies of the catalog: how often they run and with what."""
    rows = await pool.fetch(JOBS)
    found = {
        (row["proc_name"], row["of"]): (row["schedule_interval"], msgspec.json.decode(row["config"])) for row in rows
    }
    assert len(found) == len(rows)
    return found


async def intervals(pool: Pool) -> dict[str, timedelta]:
    """The settings that the policies hold, as the database reads them."""
    found: dict[str, timedelta] = {}
    for (procedure, of), (every, config) in (await policies(pool)).items():
        for name in ("compress_after", "drop_after", "start_offset", "end_offset"):
            if name in config:
                found[f"{procedure} {of} {name}"] = await pool.fetchval("select ($1::text)::interval", config[name])
        if procedure == "policy_refresh_continuous_aggregate":
            found["refresh every"] = every
    return found


def expected(settings: Settings) -> dict[str, timedelta]:
    drop = "policy_retention tracker.{} drop_after"
    refresh = "policy_refresh_continuous_aggregate tracker.events_hourly"
    raw = dict.fromkeys(
        (drop.format(series) for series in ("events", "screenshots", "recordings")), settings.retention_days * DAY
    )
    return {
        **raw,
        drop.format("events_hourly"): settings.hourly_retention_days * DAY,
        "policy_compression tracker.events compress_after": settings.compress_after_days * DAY,
        f"{refresh} start_offset": (settings.late_days + 1) * DAY,
        f"{refresh} end_offset": timedelta(hours=1),
        "refresh every": timedelta(minutes=settings.refresh_minutes),
    }


async def test_a_migrated_database_has_the_policies_of_the_default_settings(database: Database) -> None:
    assert await intervals(database.pool) == expected(Settings())
    assert expected(Settings())["policy_compression tracker.events compress_after"] == 7 * DAY
    assert expected(Settings())["policy_retention tracker.screenshots drop_after"] == 30 * DAY


async def test_migrating_with_other_settings_changes_the_policies(database: Database, dsn: str) -> None:
    other = Settings(
        compress_after_days=9, late_days=5, retention_days=45, hourly_retention_days=800, refresh_minutes=3
    )
    _, applied = await migrate(other, dsn)
    assert applied == []
    assert await intervals(database.pool) == expected(other)
    await migrate(Settings(), dsn)
    assert await intervals(database.pool) == expected(Settings())


async def test_two_processes_that_migrate_at_once_leave_one_policy_of_each_kind(database: Database, dsn: str) -> None:
    other = Settings(retention_days=45)
    await asyncio.gather(*(migrate(other, dsn) for _ in range(4)))
    assert await intervals(database.pool) == expected(other)


async def test_the_refresh_policy_never_reaches_back_before_the_oldest_kept_hour(database: Database, dsn: str) -> None:
    await database.pool.execute("update tracker.rollups set kept_from = now() - interval '30 days'")
    longer = Settings(late_days=40, compress_after_days=40, retention_days=60, batch_days=50)
    await migrate(longer, dsn)
    found = await intervals(database.pool)
    start = found["policy_refresh_continuous_aggregate tracker.events_hourly start_offset"]
    assert 30 * DAY <= start < 31 * DAY


async def test_no_policy_compresses_images_and_recordings(database: Database) -> None:
    compressed = await database.pool.fetch(
        "select hypertable_name from timescaledb_information.hypertables"
        " where hypertable_schema = 'tracker' and compression_enabled"
    )
    assert [row[0] for row in compressed] == ["events"]
