"""Behind a pooler in transaction mode there is no LISTEN: a direct way to the database, or asking it."""

import asyncio

import httpx
import msgspec
import pytest

from tests.live.watching import new_session, reachable, stored_ids, track, watching
from tracker_backend.app import create_app
from tracker_backend.live import hub
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")


@pytest.fixture(params=["asked", "direct"])
def live_settings(request: pytest.FixtureRequest, settings: Settings, dsn: str) -> Settings:
    return msgspec.structs.replace(
        settings,
        database_url=dsn,
        database_pooler=True,
        database_direct_url=dsn if request.param == "direct" else None,
    )


async def test_a_subscriber_of_another_server_gets_all(
    live_settings: Settings, dsn: str, web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "CHECK_SECONDS", 3600.0)
    session = new_session()
    await track(web, session, "a")
    async with reachable(create_app(live_settings, dsn)) as other, watching(other, session) as watcher:
        await watcher.until_live()
        for part in range(3):
            await asyncio.gather(*(track(web, session, f"{part}-{number}", 3) for number in range(20)))
            await watcher.until_events(5 + 60 * (part + 1))
        assert sorted(watcher.ids) == await stored_ids(web, session)
