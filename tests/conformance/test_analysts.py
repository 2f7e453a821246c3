"""As an analyst in psql: only granted projects, nothing writable, no way to the base tables."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from contextlib import suppress
from typing import Any

import asyncpg
import pytest

from tests.conformance.analysts import VIEWS, Login, Teams, analyst, as_superuser, make_teams, run
from tests.conformance.visits import DAY, days_ago, now
from tests.conftest import Server
from tracker_backend.accounts import analysts
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.live.transports import PostgresTransport
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database

_RELATIONS = """
    select format('%I.%I', n.nspname, relname) from pg_class c join pg_namespace n on n.oid = relnamespace
    where relkind in ('r', 'p', 'v', 'm', 'S', 'f', 't') order by 1"""


@pytest.fixture
async def teams(past: Database, pipeline: Pipeline) -> Teams:
    return await make_teams(past, pipeline)


async def everything(connection: Login, relation: str) -> str:
    """All rows of a relation as text; nothing if it may not be read."""
    try:
        try:
            rows = await connection.fetch(f"select r::text from {relation} r")
        except asyncpg.WrongObjectTypeError:  # a sequence
            rows = await connection.fetch(f"select last_value::text from {relation}")
    except (
        asyncpg.InsufficientPrivilegeError,
        asyncpg.FeatureNotSupportedError,
        asyncpg.ObjectNotInPrerequisiteStateError,
    ):
        return ""
    return "\n".join(row[0] or "" for row in rows)


async def test_each_view_holds_exactly_the_rows_of_the_granted_project(past: Database, dsn: str, teams: Teams) -> None:
    async with analyst(past, dsn, teams.ours) as (_, login):
        for view in VIEWS:
            rows = [row[0] for row in await login.fetch(f"select v::text from {view} v")]
            shown = (await login.prepare(f"select * from {view}")).get_attributes()
            columns = ", ".join(attribute.name for attribute in shown)
            stored = await past.pool.fetch(
                f"select r::text from (select {columns} from tracker.{view} where project_id = $1) r", teams.ours
            )
            assert sorted(rows) == sorted(row[0] for row in stored), view
            assert len(rows) >= 2, view
            of_all = await past.pool.fetchval(f"select count(*) from tracker.{view}")
            assert of_all > len(rows), view
        assert await login.fetchval("select count(*) from events") == 86
        seen = "".join([await everything(login, f"tracker_analyst.{view}") for view in VIEWS])
        assert teams.our_mark in seen
        assert teams.their_mark not in seen
        assert "@shop.example" not in seen, "e-mail addresses are not for analysts"


async def test_a_grant_and_its_end_count_from_the_next_statement_on(past: Database, dsn: str, teams: Teams) -> None:
    async with analyst(past, dsn, teams.ours) as (name, login):
        projects = "select array(select distinct project_id from sessions order by 1)"
        prepared = await login.prepare(projects)
        assert await prepared.fetchval() == [teams.ours]
        assert await analysts.grant(past.pool, name, teams.theirs)
        assert not await analysts.grant(past.pool, name, teams.theirs)
        assert await prepared.fetchval() == [teams.ours, teams.theirs]
        assert [grant.project for grant in await analysts.list_grants(past.pool)] == ["default", "theirs"]
        assert await analysts.revoke(past.pool, name, teams.ours)
        assert await prepared.fetchval() == [teams.theirs]
        assert await analysts.revoke(past.pool, name, teams.theirs)
        assert not await analysts.revoke(past.pool, name, teams.theirs)
        for view in VIEWS:
            assert await login.fetchval(f"select count(*) from {view}") == 0
    told = await past.pool.fetch("select project_id, actor, action, target from tracker.audit order by audit_id")
    assert [tuple(row) for row in told] == [
        (teams.ours, "command line", "analyst granted", name),
        (teams.theirs, "command line", "analyst granted", name),
        (teams.ours, "command line", "analyst revoked", name),
        (teams.theirs, "command line", "analyst revoked", name),
    ]


async def test_a_project_that_is_deleted_takes_its_grants_along(past: Database, dsn: str, teams: Teams) -> None:
    async with analyst(past, dsn, teams.theirs):
        await past.pool.execute("delete from tracker.projects where project_id = $1", teams.theirs)
        assert await analysts.list_grants(past.pool) == []


_REFUSED = [
    "insert into sessions (project_id) values (1)",
    "update events set input_value = ''",
    "delete from events",
    "truncate events",
    "delete from events_hourly",
    "merge into sessions s using (select 1) x on true when matched then delete",
    "select * from sessions for update",
    "do $$ begin lock table sessions; end $$",
    "create table tracker_analyst.mine (n int)",
    "create view tracker_analyst.mine as select 1",
    "create or replace view tracker_analyst.sessions as select 1",
    "alter view sessions set (security_barrier = false)",
    "alter view sessions owner to current_user",
    "drop view sessions",
    "comment on view sessions is 'mine'",
    "create table tracker.mine (n int)",
    "create table public.mine (n int)",
    "create schema mine",
    "create function tracker_analyst.leak() returns int language sql as 'select 1'",
    "create trigger mine instead of insert on sessions execute function suppress_redundant_updates_trigger()",
    "select tracker.open_to_analysts()",
    "insert into tracker.analyst_grants (role_id, project_id, role) values (1, 1, 'x')",
    "set role tracker",
    "set session authorization tracker",
    "set session authorization postgres",
    "grant tracker_analyst to tracker",
    "alter role tracker_analyst superuser",
    "create role mine",
    "create extension dblink",
    "copy sessions to '/tmp/sessions'",
    "copy (select 1) to program 'id'",
    "select pg_read_file('postgresql.conf')",
    "select lo_import('/etc/passwd')",
    "vacuum tracker.events",
]
_REFUSALS = (
    asyncpg.InsufficientPrivilegeError,
    asyncpg.FeatureNotSupportedError,
    asyncpg.WrongObjectTypeError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.UndefinedObjectError,
)


async def test_nothing_can_be_written_or_made_or_taken_over(past: Database, dsn: str, teams: Teams) -> None:
    """Also not after the role's own settings have been undone."""
    counts = """
        select array(select count(*)::text from tracker.events union all select count(*)::text from tracker.sessions
            union all select relname || relacl::text from pg_class
                where relnamespace = 'tracker_analyst'::regnamespace order by 1)"""
    before = await past.pool.fetchval(counts)
    async with analyst(past, dsn, teams.ours) as (_, login):
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await login.execute("create temp table mine (n int)")
        await login.execute("set default_transaction_read_only = off")
        for role in (None, "tracker_analyst"):
            if role:
                await login.execute(f"set role {role}")
            for statement in _REFUSED:
                try:
                    await login.execute(statement)
                except _REFUSALS:
                    continue
                pytest.fail(f"this was not refused: {statement}")
            await login.execute("grant select on sessions to public")  # a warning, and nothing is granted
            seen = await login.fetchval("select array(select distinct project_id from sessions)")
            assert seen == [teams.ours], role
    assert await past.pool.fetchval(counts) == before
    assert await past.pool.fetchval("select count(*) from information_schema.tables where table_name = 'mine'") == 0


async def test_no_relation_of_the_database_shows_what_another_project_stored(
    past: Database, dsn: str, teams: Teams
) -> None:
    """Base tables, partitions, chunks, catalogs, statistics: each is read, and most refuse."""
    await past.pool.execute("vacuum analyze")
    in_statistics = await past.pool.fetchval("select string_agg(s::text, ' ') from pg_stats s where schemaname <> 'x'")
    assert teams.their_mark in in_statistics, "the owner's statistics hold it"
    relations = [row[0] for row in await past.pool.fetch(_RELATIONS)]
    readable: set[str] = set()
    async with analyst(past, dsn, teams.ours) as (_, login):
        for relation in relations:
            text = await everything(login, relation)
            assert teams.their_mark not in text, relation
            if text and str(teams.sessions[0]) in text:
                readable.add(relation)
        schema = await login.fetchval("select has_schema_privilege('tracker', 'usage')")
    assert readable == {"tracker_analyst.sessions", "tracker_analyst.events"}
    assert not schema
    assert len(relations) > 200


async def test_a_function_of_the_analysts_own_is_shown_no_row_of_another_project(
    past: Database, dsn: str, teams: Teams
) -> None:
    """PostgreSQL calls cheap functions first, unless a view is a barrier."""
    told: list[str] = []
    async with analyst(past, dsn, teams.ours) as (name, login):
        login.add_log_listener(lambda _, message: told.append(str(message)))
        await login.execute("set default_transaction_read_only = off")
        await login.execute(
            "create function pg_temp.leak(anyelement) returns boolean language plpgsql cost 0.0001 as"
            " $$ begin raise notice '%', $1; return true; end $$"
        )
        for view in VIEWS:
            await login.fetch(f"select * from {view} v where pg_temp.leak(v) and pg_temp.leak(v.project_id)")
            with pytest.raises(asyncpg.InvalidTextRepresentationError) as raised:
                await login.fetch(f"select * from {view} v where v::text::int = 1")
            told.append(str(raised.value))
        text = "".join(told)
        assert teams.our_mark in text
        assert teams.their_mark not in text
        await analysts.revoke(past.pool, name, teams.ours)
        told.clear()
        for view in VIEWS:
            await login.fetch(f"select * from {view} v where pg_temp.leak(v) or v::text::int = 1")
        assert told == []


def scanned(plan: Any) -> set[str]:
    """Tables, partitions and chunks that a plan reads."""
    found = {plan["Relation Name"]} if "Relation Name" in plan else set[str]()
    for below in plan.get("Plans", []):
        found |= scanned(below)
    return found


@pytest.mark.parametrize("day", [0, 10], ids=["today", "a compressed day"])
async def test_a_day_is_read_from_its_own_chunk_through_the_barrier(
    past: Database, dsn: str, teams: Teams, day: int
) -> None:
    start = (now() if day == 0 else days_ago(day)).replace(hour=0, minute=0, second=0, microsecond=0)
    span = f"timestamp >= '{start.isoformat()}' and timestamp < '{(start + DAY).isoformat()}'"
    async with analyst(past, dsn, teams.ours) as (_, login):
        plan = json.loads(await login.fetchval(f"explain (format json) select * from events where {span}"))
        series = {name for name in scanned(plan[0]["Plan"]) if re.search(r"chunk$|_\d{8}$", name)}
        everywhere = json.loads(await login.fetchval("explain (format json) select * from events"))
        assert len(scanned(everywhere[0]["Plan"])) > 10
        assert len(series) == 1, series
        relative = "timestamp >= now() - interval '1 day'"
        plan = json.loads(await login.fetchval(f"explain (analyze, format json) select * from events where {relative}"))
        assert len(scanned(plan[0]["Plan"])) < 8


async def test_the_real_psql_reads_what_is_granted_and_no_more(
    past: Database, dsn: str, teams: Teams, server: Server
) -> None:
    path = os.pathsep.join([str(server.postgres.installation.bin_dir), os.environ.get("PATH", os.defpath)])
    psql = shutil.which("psql", path=path)
    if psql is None:
        pytest.skip("no psql on this machine")
    async with analyst(past, dsn, teams.ours) as (name, login):
        address = analysts.dsn_for(dsn, name, "-")
        password = "of-the-test"
        await run(as_superuser(dsn), f"alter role {name} password '{password}'")

        def ask(*commands: str) -> subprocess.CompletedProcess[str]:
            given = [part for command in commands for part in ("-c", command)]
            environ = {"PATH": path, "PGPASSWORD": password}
            where = address.replace(":-@", "@")
            return subprocess.run(  # the connection is local, and statements time out by the role's own setting
                [psql, "-X", "-A", "-t", "-d", where, *given], env=environ, capture_output=True, text=True, check=False
            )

        shown = ask("show statement_timeout", "select count(*), min(project_id), max(project_id) from events")
        assert shown.stdout.splitlines() == ["1min", f"86|{teams.ours}|{teams.ours}"], shown.stderr
        dump = ask(r"\copy (select * from events) to stdout", r"\copy (select * from sessions) to stdout")
        assert teams.our_mark in dump.stdout
        assert teams.their_mark not in dump.stdout
        for statement in (
            "table tracker.events",
            "table tracker.sessions",
            "delete from events",
            r"\copy events from stdin",
        ):
            refused = ask("set default_transaction_read_only = off", statement)
            assert refused.returncode != 0, statement
            assert re.search("permission denied|cannot (delete|copy)", refused.stderr), refused.stderr
        listed = ask(r"\d tracker.*", r"\dv")
        assert {
            line.split("|")[1] for line in listed.stdout.splitlines() if line.startswith("tracker_analyst|")
        } == set(VIEWS)
        assert await login.fetchval("select 1") == 1


async def test_what_servers_tell_each_other_is_not_heard_by_analysts_nor_forged(
    past: Database, dsn: str, teams: Teams, settings: Settings
) -> None:
    """Anybody who is connected may listen to any channel, and notify it: its name is a secret."""
    heard: asyncio.Queue[str | bytes] = asyncio.Queue()
    overheard: list[object] = []

    def overhear(_connection: object, _process: int, _channel: str, payload: object) -> None:
        overheard.append(payload)

    ready = asyncio.Event()
    transport = PostgresTransport(settings, dsn, past.pool, past.installation.secret)
    hearing = asyncio.create_task(transport.listen(ready.set, heard.put_nowait))
    await ready.wait()
    listening = "select query from pg_stat_activity where query ilike 'listen%'"
    channel = (await past.pool.fetchval(listening)).split()[1].strip('";')
    async with analyst(past, dsn, teams.ours) as (_, login):
        shown = await login.fetch("select * from pg_stat_activity")
        assert shown
        assert channel not in str(shown)
        for guess in ("tracker_live", "tracker", "live", f"tracker_live_{past.installation.installation_id}"):
            await login.add_listener(guess, overhear)
            await login.execute("select pg_notify($1, 'forged')", guess)
        await transport.send("of a server")
        assert await heard.get() == "of a server"
        await login.fetchval("select 1")
        assert set(overheard) == {"forged"}
    hearing.cancel()
    with suppress(asyncio.CancelledError):
        await hearing
