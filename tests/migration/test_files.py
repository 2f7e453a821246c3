"""Migrations go forward only, in order, each once and whole."""

import asyncio

import asyncpg
import pytest

from tests.conftest import Server
from tracker_backend.errors import SchemaError
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.migrate import files

LAST = "core/0010_keyed_hashes.sql"
RECORDED = "select name, checksum from tracker.migrations order by applied_at, name"


@pytest.fixture
async def empty(server: Server) -> str:
    """The DSN of a database in which nothing was ever done."""
    return await server.empty_database()


async def execute(dsn: str, statement: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


async def test_an_empty_database_gets_every_file_in_the_order_of_their_numbers(tier: str, empty: str) -> None:
    _, applied = await migrate(Settings(), empty)
    assert applied == [migration.name for migration in files(tier)]
    numbers = [int(name.partition("/")[2][:4]) for name in applied]
    assert numbers == sorted(set(numbers)), "each number once"
    assert {name.partition("/")[0] for name in applied} == {"core", tier}
    recorded = [tuple(row) for row in await execute(empty, RECORDED)]
    assert recorded == [(migration.name, migration.checksum) for migration in files(tier)]


async def test_migrating_again_applies_nothing(dsn: str) -> None:
    before = await execute(dsn, "select * from tracker.migrations order by 1")
    _, applied = await migrate(Settings(), dsn)
    assert applied == []
    assert await execute(dsn, "select * from tracker.migrations order by 1") == before


async def test_an_older_database_gets_only_what_it_lacks(dsn: str) -> None:
    await execute(dsn, "alter table tracker.erasures rename column keyed_hash to mark")
    await execute(dsn, "alter table tracker.erasures rename column subject_id to wanted")
    await execute(dsn, "alter table tracker.erasures rename column requested_at to asked_at")
    await execute(dsn, "alter table tracker.erased_sessions rename column keyed_hash to mark")
    await execute(dsn, "alter table tracker.tombstones rename column keyed_hash to mark")
    await execute(dsn, "delete from tracker.migrations where name = $1", LAST)
    with pytest.raises(SchemaError, match=rf"1 migrations are not applied \({LAST}\): run `tracker-backend migrate`"):
        await Database.open(Settings(), dsn)
    _, applied = await migrate(Settings(), dsn)
    assert applied == [LAST]
    await (await Database.open(Settings(), dsn)).close()


async def test_a_file_that_fails_leaves_nothing_of_itself_and_the_next_run_goes_on(tier: str, empty: str) -> None:
    await execute(empty, "create schema tracker")
    # In the way of the second statement of the second file.
    await execute(empty, "create table tracker.session_totals ()")
    with pytest.raises(asyncpg.DuplicateTableError):
        await migrate(Settings(), empty)
    assert [row["name"] for row in await execute(empty, RECORDED)] == ["core/0001_projects.sql"]
    assert (await execute(empty, "select to_regclass('tracker.sessions') as it"))[0]["it"] is None

    await execute(empty, "drop table tracker.session_totals")
    _, applied = await migrate(Settings(), empty)
    assert applied == [migration.name for migration in files(tier)][1:]


async def test_a_file_that_was_changed_after_it_was_applied_is_named_and_refused(dsn: str) -> None:
    await execute(dsn, "update tracker.migrations set checksum = 'other' where name = 'core/0003_coordination.sql'")
    for refused in (migrate(Settings(), dsn), Database.open(Settings(), dsn)):
        with pytest.raises(SchemaError, match=r"core/0003_coordination.sql is not the file that was applied"):
            await refused


async def test_a_database_of_a_newer_server_is_refused(dsn: str) -> None:
    await execute(dsn, "insert into tracker.migrations values ('core/0099_future.sql', 'x')")
    for refused in (migrate(Settings(), dsn), Database.open(Settings(), dsn)):
        with pytest.raises(SchemaError, match=r"newer server \(core/0099_future.sql is not known here\): update"):
            await refused


async def test_a_database_that_was_never_migrated_is_not_served(empty: str) -> None:
    with pytest.raises(SchemaError, match="no tracker schema: run `tracker-backend migrate`"):
        await Database.open(Settings(), empty)
    assert (await execute(empty, "select to_regnamespace('tracker') as it"))[0]["it"] is None


async def test_processes_that_migrate_at_once_apply_each_file_once(tier: str, empty: str) -> None:
    results = await asyncio.gather(*(migrate(Settings(), empty) for _ in range(4)))
    applied = sorted(name for _, names in results for name in names)
    assert applied == sorted(migration.name for migration in files(tier))
    assert len({installation for installation, _ in results}) == 1
    await (await Database.open(Settings(), empty)).close()
