"""The tier is found once, written down, and never guessed again."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg
import pytest

from tests.conftest import Server
from tracker_backend.errors import SchemaError
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.embedded import EmbeddedPostgres, find_installations

TIMESCALE = [each for each in find_installations() if each.timescaledb is not None]
EXTENSION = "select extversion from pg_extension where extname = 'timescaledb'"


async def other_role(server: Server, dsn: str) -> str:
    """The same database for a role of its own, which may connect and nothing more."""
    parts, name = urlsplit(dsn), f"role_{uuid4().hex}"
    await server.execute(f"create role {name} login password '{name}'")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{name}:{name}@{host}"))


async def execute(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_the_tier_is_what_the_server_offers_and_is_written_down(tier: str, server: Server) -> None:
    dsn = await server.empty_database()
    installation, _ = await migrate(Settings(), dsn)
    assert installation.tier == tier
    assert await execute(dsn, "select tier from tracker.installation") == tier
    assert (await execute(dsn, EXTENSION) is not None) == (tier == "timescale")
    database = await Database.open(Settings(), dsn)
    assert (database.store.tier, database.installation) == (tier, installation)
    assert ("timescaledb" in await database.store.versions()) == (tier == "timescale")
    await database.close()


async def test_a_role_that_may_not_create_the_schema_is_told_what_to_grant(server: Server) -> None:
    dsn = await other_role(server, await server.empty_database())
    with pytest.raises(SchemaError, match=r"may not create the schema `tracker`.*grant create on database"):
        await migrate(Settings(), dsn)
    assert await execute(dsn, "select to_regnamespace('tracker')") is None


async def test_a_role_that_may_create_only_in_its_schema_gets_plain_storage_for_good(server: Server) -> None:
    """It may not create the extension. Later it may, but the tables are made."""
    admin = await server.empty_database()
    dsn = await other_role(server, admin)
    role, name = urlsplit(dsn).username, urlsplit(dsn).path.strip("/")
    await execute(admin, f"grant {role} to current_user with set true")
    await execute(admin, f"create schema tracker authorization {role}")
    installation, applied = await migrate(Settings(), dsn)
    assert installation.tier == "plain"
    assert "plain/0005_series.sql" in applied

    await execute(admin, f"grant create on database {name} to {role}")
    assert await migrate(Settings(), dsn) == (installation, [])
    database = await Database.open(Settings(), dsn)
    assert database.store.tier == "plain"
    assert await database.maintained.refresh_events_hourly() >= 0
    await database.close()


@pytest.fixture(
    params=[{"timescaledb.license": "apache"}, {"shared_preload_libraries": ""}],
    ids=["the Apache edition", "a library that is not preloaded"],
)
def without_community(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that has TimescaleDB and not all of it."""
    if not TIMESCALE:
        pytest.skip("no PostgreSQL with timescale storage on this machine")
    with tempfile.TemporaryDirectory(prefix="tracker-test-apache-") as folder:
        Path(folder).chmod(0o755)
        options = {"fsync": "off", "timescaledb.max_background_workers": "0", **request.param}
        if "shared_preload_libraries" in options:
            del options["timescaledb.max_background_workers"]
        with EmbeddedPostgres(Path(folder), TIMESCALE[0].bin_dir, options=options) as postgres:
            yield Server(postgres)


async def test_less_than_timescaledb_community_counts_as_plain(without_community: Server) -> None:
    dsn = await without_community.empty_database()
    installation, applied = await migrate(Settings(), dsn)
    assert installation.tier == "plain"
    assert not [name for name in applied if name.startswith("timescale/")]
    database = await Database.open(Settings(), dsn)
    assert await database.maintained.make_ahead() == 0
    await database.close()
