"""Nobody but the server's own role reads what it stores."""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from tests.conformance.hourly import table_of
from tests.conformance.test_screenshots import shoot
from tests.conformance.visits import batch, clicks, days_ago, now
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.storage.database import Database

# TimescaleDB refuses row-level security on a hypertable with columnstore and on what belongs to it: `events`, its
# chunks, and the chunks of the aggregate made from it. These are closed by their grants alone.
OPEN_BY_NAME = {"plain": set[str](), "timescale": {"tracker.events"}}
TABLES = """
    select 'tracker.' || quote_ident(relname) from pg_class
    where relnamespace = 'tracker'::regnamespace and relkind in ('r', 'p')"""
CHUNKS = """
    select format('%I.%I', chunk_schema, chunk_name) from timescaledb_information.chunks
    where hypertable_schema = 'tracker' and hypertable_name in ('screenshots', 'recordings')"""


@pytest.fixture
async def stranger(database: Database, dsn: str) -> AsyncIterator[str]:
    """Another role, which may use the schema and has been granted nothing else."""
    name = f"stranger_{uuid4().hex}"
    await database.pool.execute(f"create role {name}; grant usage on schema tracker to {name}")
    await database.pool.execute(f"grant {name} to current_user with set true")
    yield name
    await database.pool.execute(f"drop owned by {name}; drop role {name}")


async def seen_by(database: Database, role: str, table: str) -> int:
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"set local role {role}")
        return await connection.fetchval(f"select count(*) from {table}")


async def test_the_schema_is_revoked_from_public(database: Database, stranger: str) -> None:
    acl = await database.pool.fetchval("select nspacl::text from pg_namespace where nspname = 'tracker'")
    assert acl is None or "{=" not in acl
    assert ",=" not in (acl or "")
    await database.pool.execute(f"revoke usage on schema tracker from {stranger}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="schema tracker"):
        await seen_by(database, stranger, "tracker.sessions")


async def test_public_may_do_nothing_in_the_schemas(database: Database) -> None:
    """Neither as things are, nor by what new objects get of themselves."""
    for_public = """
        select 'schema ' || nspname from pg_namespace n, aclexplode(coalesce(nspacl, acldefault('n', nspowner))) a
            where nspname like 'tracker%' and grantee = 0
        union all
        select 'relation ' || c.oid::regclass from pg_class c,
            aclexplode(coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner))) a
            where relnamespace::regnamespace::text like 'tracker%' and grantee = 0
        union all
        select 'column ' || attname from pg_attribute join pg_class c on c.oid = attrelid, aclexplode(attacl) a
            where relnamespace::regnamespace::text like 'tracker%' and grantee = 0
        union all
        select 'function ' || proname from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) a
            where pronamespace::regnamespace::text like 'tracker%' and grantee = 0
        union all
        select 'default of ' || defaclobjtype::text from pg_default_acl, aclexplode(defaclacl) a where grantee = 0"""
    assert [row[0] for row in await database.pool.fetch(for_public)] == []
    assert await database.pool.fetchval("select count(*) from pg_namespace where nspname like 'tracker%'") == 2


async def test_only_the_views_are_the_analysts(database: Database) -> None:
    granted = """
        select c.oid::regclass::text || ' ' || privilege_type from pg_class c, aclexplode(relacl) a
        where relnamespace::regnamespace::text like 'tracker%' and grantee <> relowner order by 1"""
    views = ("events", "events_hourly", "sessions", "sessions_hourly")
    assert [row[0] for row in await database.pool.fetch(granted)] == [f"tracker_analyst.{it} SELECT" for it in views]
    barriers = "select count(*) from pg_class where relnamespace = 'tracker_analyst'::regnamespace and relkind = 'v'"
    assert await database.pool.fetchval(f"{barriers} and 'security_barrier=true' = any(reloptions)") == len(views)
    assert await database.pool.fetchval(f"{barriers} and relkind <> 'v'") == 0


async def test_row_level_security_is_on_for_every_table_and_partition(database: Database) -> None:
    await database.maintained.make_ahead()
    without = {row[0] for row in await database.pool.fetch(f"{TABLES} and not relrowsecurity")}
    assert without == OPEN_BY_NAME[database.store.tier]
    tables = {row[0] for row in await database.pool.fetch(TABLES)}
    assert {"tracker.sessions", "tracker.api_keys", "tracker.installation", "tracker.screenshots"} <= tables


@pytest.mark.tiers("timescale")
async def test_row_level_security_is_on_for_every_chunk_of_images_and_recordings(
    database: Database, pipeline: Pipeline
) -> None:
    await shoot(pipeline, uuid4(), days_ago(15))  # a chunk that came to be by a write
    await database.maintained.make_ahead()
    chunks = [row[0] for row in await database.pool.fetch(CHUNKS)]
    assert len(chunks) == 25
    closed = (
        "select count(*) from unnest($1::text[]) as name join pg_class on oid = name::regclass where relrowsecurity"
    )
    assert await database.pool.fetchval(closed, chunks) == 25


async def test_a_role_that_may_read_a_table_sees_no_row_of_it(
    database: Database, pipeline: Pipeline, stranger: str
) -> None:
    session = uuid4()
    await pipeline.submit(batch(clicks(now(), 3), session=session))
    await shoot(pipeline, session, now())
    tables = {row[0] for row in await database.pool.fetch(TABLES)} - OPEN_BY_NAME[database.store.tier]
    for table in sorted(tables):
        await database.pool.execute(f"grant select on {table} to {stranger}")
        assert await seen_by(database, stranger, table) == 0, table
    for table in ("tracker.sessions", "tracker.events", "tracker.screenshots", "tracker.projects", "tracker.nodes"):
        assert await database.pool.fetchval(f"select count(*) from {table}") > 0


async def test_a_role_that_may_read_a_days_table_sees_no_row_of_it(
    database: Database, pipeline: Pipeline, stranger: str
) -> None:
    await shoot(pipeline, uuid4(), days_ago(1))
    table = await table_of(database.pool, "screenshots")
    assert table != "tracker.screenshots"
    await database.pool.execute(f"grant select on {table} to {stranger}")
    assert await seen_by(database, stranger, table) == 0
    assert await database.pool.fetchval(f"select count(*) from {table}") == 1


async def test_a_role_without_a_grant_reads_no_event(database: Database, pipeline: Pipeline, stranger: str) -> None:
    await pipeline.submit(batch(clicks(now(), 3)))
    table = await table_of(database.pool, "events")
    for name in ("tracker.events", table, "tracker.events_hourly", "tracker.sessions_hourly"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await seen_by(database, stranger, name)
