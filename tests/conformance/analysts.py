"""Two teams with the same visitors, and an analyst of one of them, connected as their own login."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4

import asyncpg
from msgspec import Struct

from tests.conformance.columnstore import compress
from tests.conformance.visits import batch, clicks, days_ago, event, now
from tracker_backend.accounts import analysts
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.storage import rollups
from tracker_backend.storage.database import Database

Login: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
VIEWS = ("sessions", "events", "events_hourly", "sessions_hourly")


class Teams(Struct, frozen=True):
    """Two projects that recorded the same sessions; all that one of them stored holds its mark."""

    ours: int
    theirs: int
    our_mark: str
    their_mark: str
    sessions: tuple[UUID, ...]


async def make_teams(database: Database, pipeline: Pipeline) -> Teams:
    """Sessions of now and of a day that is compressed where the tier can, the same in both projects."""
    theirs = await database.pool.fetchval("insert into tracker.projects (name) values ('theirs') returning project_id")
    made = Teams(1, theirs, f"ours{uuid4().hex}", f"theirs{uuid4().hex}", (uuid4(), uuid4()))
    for project, mark in ((made.ours, made.our_mark), (made.theirs, made.their_mark)):
        url = f"https://shop.example/{mark}"
        for session, moment in zip(made.sessions, (now(), days_ago(10)), strict=True):
            events = clicks(moment, 40, url) + [event(moment, "seen", url, event_data={"mark": mark}) for _ in range(3)]
            fields = SessionFields(user_id=mark, user_email=f"{mark}@shop.example", app_id=mark, metadata=_json(mark))
            await pipeline.submit(batch(events, session=session, project=project, name="the same", fields=fields))
    if database.store.tier == "timescale":
        assert f"{days_ago(10):%Y-%m-%d}" in await compress(database)
    await database.maintained.refresh_events_hourly()
    await rollups.refresh(database.pool, "sessions_hourly")
    return made


def _json(mark: str) -> bytes:
    return b'{"mark": "%b"}' % mark.encode()


def new_name() -> str:
    """A role's name that nobody has used: roles are the cluster's."""
    return f"analyst_{uuid4().hex}"


@asynccontextmanager
async def analyst(database: Database, dsn: str, project: int, **options: Any) -> AsyncGenerator[tuple[str, Login]]:
    """A new analyst of a project, by name, and their connection."""
    name = new_name()
    address = analysts.dsn_for(dsn, name, await analysts.create(database.pool, name, project))
    connection: Login = await asyncpg.connect(address, **options)
    try:
        yield name, connection
    finally:
        await connection.close()
        await analysts.drop(database.pool, name)


def as_superuser(dsn: str) -> str:
    """The same database for its superuser, who has the same password in tests."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace("tracker:", "postgres:", 1)))


async def run(dsn: str, *statements: str) -> None:
    """Runs statements on a connection of their own."""
    connection: Login = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()
