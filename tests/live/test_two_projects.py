"""Two projects with the same session: whoever watches it in one never sees the other's, stored or live."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from functools import partial

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.live.watching import Json, clicks, new_session, reachable, socket_url, stream
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

Read = Callable[[], Awaitable[str]]
PREFIXES = ("/api/v1", "/api")
_AT = time.time_ns() // 1_000_000  # the same of all rows, so that their times do not tell them apart


class Team(msgspec.Struct):
    """A project's callers at two processes: one that writes and one that watches."""

    mark: str
    key: dict[str, str]
    writes: httpx.AsyncClient
    watches: httpx.AsyncClient

    async def send(self, session: str, name: str) -> None:
        """A batch of events and one of rrweb events, with the mark in each and the same names in both projects."""
        events = [
            {**event, "timestamp": _AT, "event_type": "seen", "event_data": {"mark": self.mark}} for event in clicks(2)
        ]
        rrweb: Json = {"type": 5, "data": {"tag": self.mark, "payload": name}, "timestamp": _AT}
        for path, sent in (("/track", events), ("/track/recording", [rrweb])):
            body = {"session_id": session, "batch_id": f"{name} {path}", "events": sent}
            answer = await self.writes.post(f"/api/v1{path}", json=body)
            assert answer.status_code == 201, answer.text


@pytest.fixture
async def teams(live_settings: Settings, dsn: str) -> AsyncIterator[tuple[Team, Team, str]]:
    """Two projects, and the address of the process that is watched."""
    async with AsyncExitStack() as stack:
        apps = [create_app(live_settings, dsn) for _ in range(2)]
        writing, watched = [await stack.enter_async_context(reachable(app)) for app in apps]
        services: Services = apps[0].state["services"]
        made: list[Team] = []
        for mark in ("of-ours", "of-theirs"):
            project = await make_project(services.pool, mark)
            key = {"x-api-key": await keys.create_key(services.pool, project, "admin")}
            clients = [httpx.AsyncClient(base_url=url, headers=key, timeout=None) for url in (writing, watched)]
            made.append(Team(mark, key, *[await stack.enter_async_context(client) for client in clients]))
        yield made[0], made[1], watched


@pytest.fixture
async def session(teams: tuple[Team, Team, str]) -> str:
    """One that both projects have stored."""
    made = new_session()
    for team in teams[:2]:
        await team.send(made, "stored")
    return made


async def each_gets_its_own(ours: Team, theirs: Team, session: str, readers: list[Read]) -> None:
    """Both send to the session while both watch it, and neither gets a message of the other's."""
    got = [[await read()] for read in readers]  # both are subscribed
    for name in ("live", "last"):
        for team in (theirs, ours):
            await team.send(session, name)
    for read, texts in zip(readers, got, strict=True):
        while '"last"' not in texts[-1]:
            texts.append(await read())
    for team, other, texts in ((ours, theirs, got[0]), (theirs, ours, got[1])):
        assert sum(team.mark in text for text in texts) >= 6
        assert not [text for text in texts if other.mark in text]


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_watcher_by_websocket_gets_its_own_projects_events_alone(
    teams: tuple[Team, Team, str], session: str, prefix: str
) -> None:
    ours, theirs, url = teams

    async def read(socket: ClientConnection) -> str:
        return str(await socket.recv())

    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(connect(socket_url(url, session, prefix), additional_headers=team.key))
            for team in (ours, theirs)
        ]
        if prefix == "/api":
            for socket in sockets:
                await socket.send(json.dumps({"type": "subscribe", "sessionId": session}))
        await each_gets_its_own(ours, theirs, session, [partial(read, socket) for socket in sockets])


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_a_reader_of_the_event_stream_gets_its_own_projects_events_alone(
    teams: tuple[Team, Team, str], session: str, prefix: str
) -> None:
    ours, theirs, _ = teams
    places: dict[str, str] = {}

    async def read(team: Team, messages: AsyncGenerator[tuple[str, Json]]) -> str:
        places[team.mark], message = await anext(messages)
        return json.dumps(message)

    async with (
        aclosing(stream(ours.watches, session, prefix=prefix)) as mine,
        aclosing(stream(theirs.watches, session, prefix=prefix)) as other,
    ):
        await each_gets_its_own(ours, theirs, session, [partial(read, ours, mine), partial(read, theirs, other)])
    # A place in the one's stream opens nothing of it in the other's.
    async with aclosing(stream(ours.watches, session, places[theirs.mark], prefix)) as resumed:
        await ours.send(session, "more")
        texts = [""]
        while '"more"' not in texts[-1]:
            texts.append(await read(ours, resumed))
    assert not [text for text in texts if theirs.mark in text]
