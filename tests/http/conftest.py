"""A server that outlives a test, for tables of requests and properties whose examples are sessions of their own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import httpx
import pytest
from litestar import Litestar

from tests.conftest import Server, Servers, running
from tests.http.api import local
from tests.http.browsers import Browser, member
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

SETTINGS = Settings(pool_min=1, pool_max=8, limit_keyless=0, limit_key=0, limit_spectra=0, limit_project=0)


class Standing:
    """One running app a tier, started at its first use."""

    def __init__(self, stack: AsyncExitStack, settings: Settings = SETTINGS) -> None:
        self._stack = stack
        self._settings = settings
        self._apps: dict[str, Litestar] = {}

    async def of(self, tier: str, server: Server) -> Litestar:
        """The app of a tier."""
        if tier not in self._apps:
            dsn = await server.database()
            await _prevent_maintenance(dsn)
            app = create_app(self._settings, dsn)
            self._apps[tier] = await self._stack.enter_async_context(running(app))
        return self._apps[tier]


async def _prevent_maintenance(dsn: str) -> None:
    """Gives the lease to nobody: maintenance would remove sessions of long ago while a test looks at them."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("insert into tracker.leases values ('maintenance', gen_random_uuid(), 'infinity')")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def standing(servers: Servers) -> AsyncIterator[Standing]:
    assert servers, "they end after the apps"
    async with AsyncExitStack() as stack:
        yield Standing(stack)


@pytest.fixture
async def standing_app(standing: Standing, tier: str, server: Server) -> Litestar:
    """An app that other tests use too: a test looks at its own sessions only."""
    return await standing.of(tier, server)


@pytest.fixture
def standing_services(standing_app: Litestar) -> Services:
    return standing_app.state["services"]


@pytest.fixture
async def standing_client(standing_app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    """A local caller of that app without a key."""
    async with local(standing_app) as client:
        yield client


@pytest.fixture
async def project(standing_services: Services) -> int:
    """A project of the test's own on that app: its lists and numbers hold nothing else."""
    return await make_project(standing_services.pool, "test")


@pytest.fixture
async def own_client(
    standing_client: httpx.AsyncClient, standing_services: Services, project: int
) -> httpx.AsyncClient:
    """A caller with an admin key of that project."""
    standing_client.headers["x-api-key"] = await keys.create_key(standing_services.pool, project, "admin")
    return standing_client


@pytest.fixture
async def ann(standing_app: Litestar, standing_services: Services, project: int) -> AsyncIterator[Browser]:
    """An owner of the test's own project."""
    async with await member(standing_app, standing_services, project, "owner") as browser:
        yield browser


@pytest.fixture
async def stranger(standing_app: Litestar) -> AsyncIterator[Browser]:
    """A browser that is not logged in."""
    async with Browser(standing_app) as browser:
        yield browser
