"""A recording whose rows are packed: the same events, also for a stream that ended before."""

from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from litestar import Litestar

from tests.live.watching import moves, new_session, reachable, record, stream, track, watching
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.recordings import packing
from tracker_backend.recordings.compaction import pack_before
from tracker_backend.settings import Settings


@pytest.fixture
def live_app(live_settings: Settings, dsn: str) -> Litestar:
    return create_app(live_settings, dsn)


@pytest.mark.parametrize("taken", [0, 1, 3, 5, 8, 14])
async def test_a_stream_goes_on_in_packed_rows(live_app: Litestar, monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    monkeypatch.setattr(packing, "FRAME", 350)  # three events: a batch is cut into several rows
    session = new_session()
    async with reachable(live_app) as url, httpx.AsyncClient(base_url=url, timeout=None) as web:
        services: Services = live_app.state["services"]
        await track(web, session, "a", 2)
        for part in range(3):
            await record(web, session, f"r{part}", moves(3 * part, 5))  # they overlap
        last: str | None = None
        got: list[tuple[str, object]] = []
        if taken:
            async with aclosing(stream(web, session)) as events:
                async for identifier, message in events:
                    last = identifier
                    got.append((message["type"], message.get("event")))
                    if len(got) == taken:
                        break
        rows = await pack_before(services.database.maintained, datetime.now(UTC) + timedelta(hours=1))
        assert rows == 3
        await record(web, session, "late", moves(100, 2))
        await track(web, session, "b", 1)
        async with aclosing(stream(web, session, last)) as events:
            async for _, message in events:
                got.append((message["type"], message.get("event")))
                if len(got) == 2 + 15 + 2 + 1 + 1:
                    break
        rrweb = [event for kind, event in got if kind == "rrweb"]
        expected = [event for part in range(3) for event in moves(3 * part, 5)] + moves(100, 2)
        assert sorted(map(str, rrweb)) == sorted(map(str, expected))
        assert len([kind for kind, _ in got if kind == "event"]) == 3
        async with watching(url, session) as watcher:
            await watcher.until_live()
            assert sorted(map(str, watcher.rrweb)) == sorted(map(str, expected))
            times = [event["timestamp"] for event in watcher.rrweb]
            assert times == sorted(times)
