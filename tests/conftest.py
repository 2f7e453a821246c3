"""PostgreSQL for the tests: one server a tier, a database migrated once, a fresh copy of it for each test.

The servers are real and end with the test run. The TimescaleDB tier runs where an installation with the extension is
found, and is skipped by name elsewhere.

**Tiers.** A test that uses a database runs on both tiers. What a tier cannot influence runs on one: such a module has
`pytestmark = pytest.mark.tiers("plain")`. That are logins, keys, limits, origins, CORS, cookies, people, the audit
log, refused input, how bodies are packed, the command line, and what a browser does. What is stored, masked, counted,
compacted, erased or expired, what a live stream catches up with, and what two projects see of each other stays on
both. The mark nearest to a test counts: in a module of one tier, `tiers("plain", "timescale")` marks the tests that
need both, and `tiers("timescale")` those of its own features.

**Time.** No test depends on the hour, the date or the machine's speed. To see it, run tests at another time; the
servers of PostgreSQL are in the same time:

    cc -shared -fPIC -o /tmp/other_time.so tests/other_time.c
    export LD_PRELOAD=/tmp/other_time.so OTHER_TIME=$(($(date -ud '2026-10-25 00:58' +%s) - $(date +%s)))
    .venv/bin/python -m pytest tests/conformance
"""

import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from tests.commands import Commands
from tests.unit.browser_packers import Packers
from tracker_backend.accounts import passwords
from tracker_backend.app import create_app
from tracker_backend.http import ttl_cache
from tracker_backend.http.services import Services
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.embedded import EmbeddedPostgres, Installation, find_installations

TIERS = ("plain", "timescale")
_numbers = itertools.count(1)
# A test's data need not outlive a power cut. Policies run when a test calls them: TimescaleDB's background workers
# would hold the database that copies are made from.
_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
}
_TIMESCALE_OPTIONS = {"timescaledb.max_background_workers": "0"}


def _keep_other_time() -> None:
    """Gives the moved clock to every process that is started here, also where the server chooses the environment."""
    moved = {name: os.environ[name] for name in ("LD_PRELOAD", "OTHER_TIME")}
    start = subprocess.Popen.__init__

    def start_in_other_time(self: Any, *arguments: Any, env: Any = None, **more: Any) -> None:
        start(self, *arguments, env=None if env is None else {**env, **moved}, **more)

    subprocess.Popen.__init__ = start_in_other_time  # pyright: ignore[reportAttributeAccessIssue]


if "OTHER_TIME" in os.environ:
    _keep_other_time()


def _installation(tier: str) -> Installation | None:
    wants_timescale = tier == "timescale"
    found = [it for it in find_installations() if (it.timescaledb is not None) == wants_timescale]
    return next(iter(found), None)


def _memory() -> str | None:
    """A folder in memory, if it has room: tests make and remove thousands of small files."""
    folder = Path("/dev/shm")
    return str(folder) if folder.is_dir() and shutil.disk_usage(folder).free > 4 * 1024**3 else None


def with_database(dsn: str, name: str) -> str:
    """The same server's DSN for another database."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


class Server:
    """A running PostgreSQL with a migrated template for each day."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self.postgres = postgres
        self.admin_dsn = with_database(postgres.dsn, "postgres")
        self._template = ""

    async def execute(self, statement: str) -> None:
        """Runs a statement beside all databases."""
        connection = await asyncpg.connect(self.admin_dsn)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def empty_database(self) -> str:
        """The DSN of a new database without anything in it."""
        name = f"empty_{next(_numbers)}"
        await self.execute(f"create database {name}")
        return with_database(self.postgres.dsn, name)

    async def copy(self, dsn: str) -> str:
        """The DSN of a new database that is a copy of one that nobody is connected to."""
        name = f"test_{next(_numbers)}"
        # Copying files takes a quarter of the time of copying through the WAL, the default.
        template = urlsplit(dsn).path.strip("/")
        await self.execute(f"create database {name} template {template} strategy file_copy")
        return with_database(self.postgres.dsn, name)

    async def database(self) -> str:
        """The DSN of a new database, migrated today with the default settings: migration makes the days around it."""
        template = f"template_{datetime.now(UTC):%Y%m%d}"
        if self._template != template:
            await self.execute(f"create database {template}")
            await migrate(Settings(), with_database(self.postgres.dsn, template))
            self._template = template
        return await self.copy(with_database(self.postgres.dsn, template))

    async def drop(self, dsn: str) -> None:
        """Drops a database, unless somebody is still connected to it."""
        with suppress(asyncpg.ObjectInUseError):
            await self.execute(f"drop database if exists {urlsplit(dsn).path.strip('/')}")


class Servers:
    """The servers by tier, each started at its first use."""

    def __init__(self) -> None:
        self._servers: dict[str, Server] = {}
        self._stack = ExitStack()

    def of(self, tier: str) -> Server:
        """The server of a tier; skips the test where this machine has none."""
        if tier not in self._servers:
            installation = _installation(tier)
            if installation is None:
                pytest.skip(f"no PostgreSQL with {tier} storage on this machine")
            folder = self._stack.enter_context(
                tempfile.TemporaryDirectory(prefix=f"tracker-test-{tier}-", dir=_memory())
            )
            Path(folder).chmod(0o755)  # a root's PostgreSQL runs as another user
            options = _OPTIONS | (_TIMESCALE_OPTIONS if tier == "timescale" else {})
            postgres = EmbeddedPostgres(Path(folder), installation.bin_dir, options=options)
            self._stack.enter_context(postgres)
            self._servers[tier] = Server(postgres)
        return self._servers[tier]

    def stop(self) -> None:
        """Ends them all."""
        self._stack.close()


@asynccontextmanager
async def running(app: Litestar) -> AsyncGenerator[Litestar]:
    """The app between its start and its end, both in one task of their own, as the framework needs it."""
    ready, done = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            ready.set()
            await done.wait()

    life = asyncio.create_task(live())
    started = asyncio.create_task(ready.wait())
    await asyncio.wait({life, started}, return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    if life.done():
        life.result()
    try:
        yield app
    finally:
        done.set()
        await life


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    started = Servers()
    yield started
    started.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test that uses a database on the tiers of its nearest mark `tiers`, or on both."""
    if "tier" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("tiers")
        metafunc.parametrize("tier", mark.args if mark else TIERS, indirect=True)


@pytest.fixture
def tier(request: pytest.FixtureRequest) -> str:
    """The storage tier of this run of the test."""
    return request.param


@pytest.fixture
def server(servers: Servers, tier: str) -> Server:
    return servers.of(tier)


@pytest.fixture
async def dsn(server: Server) -> AsyncIterator[str]:
    """A fresh migrated database, dropped afterwards: removing the files of hundreds at the end takes a minute."""
    made = await server.database()
    yield made
    await server.drop(made)


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    """The command line, for tests that run many commands."""
    with Commands() as running:
        yield running


@pytest.fixture(scope="module")
def packers() -> Iterator[Packers]:
    """The libraries with which browsers pack."""
    with Packers() as running:
        yield running


@pytest.fixture
def settings() -> Settings:
    """Small pools and no limits; a test that is about a setting makes its own."""
    return Settings(pool_min=1, pool_max=8, limit_keyless=0, limit_key=0, limit_project=0)


@pytest.fixture
async def database(settings: Settings, dsn: str) -> AsyncIterator[Database]:
    """The open database, without a server on it."""
    opened = await Database.open(settings, dsn)
    yield opened
    await opened.close()


@asynccontextmanager
async def ingesting(settings: Settings, database: Database) -> AsyncGenerator[Pipeline]:
    """Ingest as the server runs it."""
    made = Pipeline(settings, database.store)
    made.writer.start()
    try:
        yield made
    finally:
        await made.writer.stop()


@asynccontextmanager
async def other_process(settings: Settings, dsn: str) -> AsyncGenerator[Pipeline]:
    """Ingest of another process on the same database."""
    database = await Database.open(settings, dsn)
    try:
        async with ingesting(settings, database) as made:
            yield made
    finally:
        await database.close()


@pytest.fixture
async def pipeline(settings: Settings, database: Database) -> AsyncIterator[Pipeline]:
    """Ingest on the open database."""
    async with ingesting(settings, database) as made:
        yield made


@pytest.fixture
async def app(settings: Settings, dsn: str) -> AsyncIterator[Litestar]:
    """The running application on a fresh database."""
    made = create_app(settings, dsn)
    async with running(made):
        yield made


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Hashes of passwords take 0.1 ms instead of 100: argon2id with the lowest parameters, made and checked as ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture
def real_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parameters of a server."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher())


@pytest.fixture
def without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a second had passed before each look at a key, a login or a project's settings."""
    monkeypatch.setattr(ttl_cache, "SECONDS", 0.0)


@pytest.fixture
def services(app: Litestar) -> Services:
    """What the running application holds."""
    return app.state["services"]


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A local caller without a key."""
    # The two libraries name the same protocol's types differently.
    transport = httpx.ASGITransport(app=cast("Any", app), client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as made:
        yield made
