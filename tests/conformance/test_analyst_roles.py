"""Who becomes an analyst, and what PostgreSQL's roles can do to it: one name twice, no right to make them, a race."""

import asyncio
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.conformance.analysts import Login, analyst, as_superuser, new_name, run
from tests.conformance.visits import clicks, now, visit
from tests.conftest import Server
from tests.migration.test_tier import other_role
from tracker_backend.accounts import analysts
from tracker_backend.errors import SettingsError
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.embedded import EmbeddedPostgres


async def test_a_later_role_of_the_same_name_has_none_of_its_grants(
    database: Database, dsn: str, pipeline: Pipeline
) -> None:
    pool, name = database.pool, new_name()
    await visit(pipeline, clicks(now(), 1))
    await analysts.create(pool, name, 1)
    made = f"create role {name} login password 'x' in role tracker_analyst"
    await run(as_superuser(dsn), f"drop role {name}", made)
    login: Login = await asyncpg.connect(analysts.dsn_for(dsn, name, "x"))
    assert await login.fetchval("select count(*) from tracker_analyst.sessions") == 0
    assert [grant.is_gone for grant in await analysts.list_grants(pool)] == [True]
    assert await analysts.grant(pool, name, 1)
    assert await login.fetchval("select count(*) from tracker_analyst.sessions") == 1
    assert await analysts.drop(pool, name) == ([1, 1], False), "the role was made by somebody else"
    assert await login.fetchval("select count(*) from tracker_analyst.sessions") == 0
    await login.close()
    await run(as_superuser(dsn), f"drop role {name}")


async def test_only_a_harmless_login_becomes_an_analyst(database: Database, dsn: str) -> None:
    pool = database.pool
    for name in ("Grafana", "1st", "pg_mine", "tracker_analyst", 'x"; drop table y; --', "", "é", "a" * 64):
        with pytest.raises(SettingsError, match="is not a valid name for an analyst"):
            await analysts.create(pool, name, 1)
    with pytest.raises(SettingsError, match="the role tracker exists already"):
        await analysts.create(pool, "tracker", 1)
    for name in ("postgres", "tracker"):
        with pytest.raises(SettingsError, match="has more rights than an analyst"):
            await analysts.grant(pool, name, 1)
        with pytest.raises(SettingsError, match="there is no analyst"):
            await analysts.drop(pool, name)
    for name in ("nobody_at_all", "tracker_analyst", "pg_monitor"):
        with pytest.raises(SettingsError, match="there is no role"):
            await analysts.grant(pool, name, 1)
    assert await pool.fetchval("select count(*) from tracker.analyst_grants") == 0


async def test_a_server_whose_role_may_make_no_roles_tells_what_a_superuser_runs(server: Server) -> None:
    """Its migration goes through all the same, and the told statements are enough."""
    admin = await server.empty_database()
    dsn = await other_role(server, admin)
    superuser, role = as_superuser(admin), re.search(r"//(\w+):", dsn)
    assert role is not None
    name = f"of_{role[1]}"
    await run(superuser, f"create schema tracker authorization {role[1]}")
    await migrate(Settings(), dsn)
    database = await Database.open(Settings(pool_min=1), dsn)
    try:
        told: list[str] = []
        for _ in range(2):
            with pytest.raises(SettingsError, match="As a superuser") as refused:
                await analysts.create(database.pool, name, 1)
            told += re.findall(r"`([^`]+)`", str(refused.value))
            statements = [each for each in told[-1:] if not each.startswith("tracker-backend")] or told[-2:-1]
            await run(superuser, *statements)
        assert told[-1] == f"tracker-backend analyst grant {name}"
        assert await analysts.grant(database.pool, name, 1)
        login: Login = await asyncpg.connect(analysts.dsn_for(dsn, name, "choose-one"))
        assert await login.fetch("select * from tracker_analyst.events_hourly") == []
        await login.close()
        assert await analysts.drop(database.pool, name) == ([1], False)
    finally:
        await database.close()


@pytest.fixture
def fresh_cluster(server: Server) -> Iterator[Server]:
    """A server that has no group of analysts yet."""
    with tempfile.TemporaryDirectory(prefix="tracker-test-cluster-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), server.postgres.installation.bin_dir, options={"fsync": "off"}) as postgres:
            yield Server(postgres)


@pytest.mark.tiers("plain")
async def test_two_databases_of_a_cluster_may_be_migrated_at_the_same_time(fresh_cluster: Server) -> None:
    """The group role is the cluster's: one of them makes it, and the other goes on."""
    dsn, other = [await fresh_cluster.empty_database() for _ in range(2)]
    first: Login = await asyncpg.connect(other)
    faster = first.transaction()
    await faster.start()
    await first.execute("create role tracker_analyst nologin")
    migrating = asyncio.create_task(migrate(Settings(), dsn))
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname <> current_database()"
    while not await first.fetchval(waiting):
        assert not migrating.done(), "it was to wait for the first"
        await first.execute("select pg_stat_clear_snapshot()")
    await faster.commit()
    await migrating
    await first.close()
    database = await Database.open(Settings(pool_min=1), dsn)
    async with analyst(database, dsn, 1) as (_, login):
        assert await login.fetch("select * from sessions") == []
    await database.close()
