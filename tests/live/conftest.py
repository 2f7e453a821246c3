"""A server of the test's own on a fresh database."""

from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest

from tests.live.watching import reachable
from tracker_backend.app import create_app
from tracker_backend.settings import Settings


@pytest.fixture
def live_settings(settings: Settings, dsn: str) -> Settings:
    """As with a database of one's own, which other servers may use too."""
    return msgspec.structs.replace(settings, database_url=dsn)


@pytest.fixture
async def url(live_settings: Settings, dsn: str) -> AsyncIterator[str]:
    """The address of a server."""
    async with reachable(create_app(live_settings, dsn)) as made:
        yield made


@pytest.fixture
async def web(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of that server."""
    async with httpx.AsyncClient(base_url=url, timeout=None) as client:
        yield client
