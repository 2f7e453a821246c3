"""A real running server on each tier, for the whole test run: a browser's visit is shared by several tests."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.conftest import Servers
from tests.processes import Running


class Sites:
    """Running servers by tier."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._urls: dict[str, str] = {}
        self.stack = ExitStack()

    async def url(self, tier: str) -> str:
        """The address of a tier's server, started at its first use."""
        if tier not in self._urls:
            dsn = await self._servers.of(tier).database()
            self._urls[tier] = self.stack.enter_context(Running(DATABASE_URL=dsn)).url
        return self._urls[tier]


@pytest.fixture(scope="session")
def sites(servers: Servers) -> Iterator[Sites]:
    made = Sites(servers)
    yield made
    made.stack.close()


@pytest.fixture
async def server_url(sites: Sites, tier: str) -> str:
    return await sites.url(tier)
