"""Tickets and cookies: how browsers, which send no headers of ours with a stream, show that they may read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.http.browsers import logged_in
from tests.live.watching import Watcher, new_session, reachable, socket_url, stream, track
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.accounts.logins import Role
from tracker_backend.app import create_app
from tracker_backend.http import streams, ttl_cache
from tracker_backend.http.auth.cookies import NAME
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")


class Site:
    """A server where every call needs a key or a login, with a session that has an event."""

    def __init__(self, app: Litestar, url: str, session: str) -> None:
        self.services: Services = app.state["services"]
        self.url = url
        self.session = session

    async def key(self, kind: Any = "read", project: int = 1) -> dict[str, str]:
        """Headers with a new key."""
        return {"x-api-key": await keys.create_key(self.services.pool, project, kind)}

    async def login(self, role: Role = "viewer") -> dict[str, str]:
        """Headers of a browser in which a person has logged in."""
        return await logged_in(self.services, role)

    async def ask(self, headers: dict[str, str], session: str | None = None) -> httpx.Response:
        """Asks for a ticket."""
        async with httpx.AsyncClient(base_url=self.url, headers=headers) as client:
            return await client.post(f"/api/v1/sessions/{session or self.session}/live/ticket")

    async def ticket(self, headers: dict[str, str], session: str | None = None) -> str:
        """A ticket."""
        answer = await self.ask(headers, session)
        assert answer.status_code == 201, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()["ticket"]

    async def watch(self, query: str, prefix: str = "/api/v1", **options: Any) -> tuple[int, str]:
        """How a WebSocket's handshake is answered."""
        try:
            async with connect(socket_url(self.url, self.session, prefix) + query, **options):
                return 101, ""
        except InvalidStatus as refused:
            return refused.response.status_code, msgspec.json.decode(refused.response.body or b"{}")["detail"]

    async def read(self, query: str, prefix: str = "/api/v1", **headers: str) -> tuple[int, str]:
        """How server-sent events are answered: the status, and the first line or the error."""
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=None) as client,
            client.stream("GET", f"{prefix}/sessions/{self.session}/live{query}", headers=headers) as answer,
        ):
            return answer.status_code, await anext(answer.aiter_lines())


@pytest.fixture
async def site(live_settings: Settings, dsn: str) -> AsyncIterator[Site]:
    app = create_app(msgspec.structs.replace(live_settings, auth="required"), dsn)
    async with reachable(app) as url:
        made = Site(app, url, new_session())
        async with httpx.AsyncClient(base_url=url, headers=await made.key("write")) as client:
            await track(client, made.session, "a", 1)
        yield made


async def test_a_ticket_opens_one_stream_of_each_kind_once(site: Site) -> None:
    read = await site.key()
    for prefix in ("/api/v1", "/api"):
        one, two = await site.ticket(read), await site.ticket(read)
        assert (await site.watch(f"?ticket={one}", prefix, origin="https://dashboard.example"))[0] == 101
        assert (await site.read(f"?ticket={two}", prefix, origin="https://dashboard.example")) == (200, "retry: 1000")
        for used in (one, two):
            status, told = await site.watch(f"?ticket={used}", prefix)
            assert status == 401
            assert "was used" in told
            assert (await site.read(f"?ticket={used}", prefix))[0] == 401
    assert await site.services.pool.fetchval("select count(*) from tracker.tickets") == 0


async def test_of_many_who_come_with_one_ticket_at_once_one_gets_in(site: Site) -> None:
    ticket = await site.ticket(await site.key())
    answers = await asyncio.gather(*(site.watch(f"?ticket={ticket}") for _ in range(8)))
    assert sorted(status for status, _ in answers) == [101] + [401] * 7


async def test_who_may_not_read_gets_no_ticket(site: Site) -> None:
    assert (await site.ask({})).status_code == 401
    assert (await site.ask(await site.key("write"))).status_code == 403
    login = await site.login()
    assert (await site.ask({"cookie": login["cookie"]})).status_code == 403, "another site's page may ask so"
    assert (await site.ask({**login, "origin": "https://evil.example"})).status_code == 403
    assert (await site.ask(login)).status_code == 201
    assert (await site.ask(await site.key(), new_session())).status_code == 404
    other = await make_project(site.services.pool, "other")
    assert (await site.ask(await site.key(project=other))).status_code == 404


async def test_who_has_logged_out_within_the_second_gets_no_ticket(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ttl_cache, "SECONDS", 3600.0)
    login = await site.login()
    assert (await site.ask(login)).status_code == 201
    await site.services.pool.execute("delete from tracker.logins")
    answer = await site.ask(login)
    assert (answer.status_code, answer.json()["type"]) == (401, "/docs/errors#unauthorized"), answer.text


async def test_a_ticket_is_for_its_session_for_thirty_seconds_and_stored_as_its_hash(site: Site) -> None:
    read, other = await site.key(), new_session()
    async with httpx.AsyncClient(base_url=site.url, headers=await site.key("write")) as client:
        await track(client, other, "a", 1)
    foreign = await site.ticket(read, other)
    assert await site.watch(f"?ticket={foreign}") == (
        401,
        "this ticket is for another session, and used up now: ask for one of this session.",
    )
    answer = (await site.ask(read)).json()
    rest = datetime.fromisoformat(answer["expires_at"]) - datetime.now(UTC)
    assert timedelta(seconds=-30) < rest <= timedelta(seconds=31)
    stored = await site.services.pool.fetchval("select string_agg(t::text, '') from tracker.tickets t")
    assert answer["ticket"] not in stored
    await site.services.pool.execute("update tracker.tickets set expires_at = expires_at - interval '30 seconds'")
    status, told = await site.watch(f"?ticket={answer['ticket']}")
    assert status == 401
    assert "expired" in told
    assert (await site.watch("?ticket=made-up"))[0] == 401
    assert (await site.watch("?ticket="))[0] == 401


@pytest.mark.parametrize("how", ["revoked", "expired", "logged out", "removed"])
async def test_a_stream_ends_with_the_key_or_the_login_behind_its_ticket(
    site: Site, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.05)
    ticket = await site.ticket(await (site.key() if how in ("revoked", "expired") else site.login()))
    async with connect(socket_url(site.url, site.session) + f"?ticket={ticket}") as connection:
        watcher = Watcher(connection)
        await watcher.until_live()
        change, code = {
            "revoked": ("update tracker.api_keys set revoked_at = now() where kind = 'read'", 4401),
            "expired": ("update tracker.api_keys set expires_at = now() where kind = 'read'", 4401),
            "logged out": ("delete from tracker.logins", 4401),
            "removed": ("delete from tracker.members", 4403),
        }[how]
        await site.services.pool.execute(change)
        assert (await watcher.until_closed())[0] == code


async def test_a_stream_of_events_by_ticket_ends_likewise(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHECK_SECONDS", 0.05)
    ticket = await site.ticket(await site.key())
    async with (
        httpx.AsyncClient(base_url=site.url, params={"ticket": ticket}) as client,
        aclosing(stream(client, site.session)) as events,
    ):
        assert (await anext(events))[1]["type"] == "event"
        await site.services.pool.execute("update tracker.api_keys set revoked_at = now() where kind = 'read'")
        got = [message async for _, message in events]
    assert (got[-1]["type"], got[-1]["code"]) == ("error", 4401)


async def test_a_ticket_of_who_may_not_read_any_more_opens_nothing(site: Site, without_memory: None) -> None:
    by_key, by_login = await site.ticket(await site.key()), await site.ticket(await site.login())
    pool = site.services.pool
    await pool.execute("update tracker.api_keys set revoked_at = now() where kind = 'read'")
    await pool.execute("delete from tracker.members")
    assert (await site.watch(f"?ticket={by_key}"))[0] == 401
    assert (await site.watch(f"?ticket={by_login}"))[0] == 403


async def test_a_browser_that_is_logged_in_watches_from_pages_of_this_server_only(site: Site) -> None:
    cookie = {"cookie": (await site.login())["cookie"]}
    assert (await site.watch("", additional_headers=cookie, origin=site.url))[0] == 101
    assert (await site.read("", **cookie))[0] == 200, "browsers send no Origin with a GET of the same origin"
    assert (await site.read("", **cookie, origin=site.url))[0] == 200
    for origin in ("https://evil.example", "null"):
        status, told = await site.watch("", additional_headers=cookie, origin=origin)
        assert (status, "another site" in told) == (403, True)
        status, told = await site.read("", **cookie, origin=origin)
        assert (status, "another site" in told) == (403, True)
    assert (await site.watch("", additional_headers=cookie))[0] == 403, "no browser opens one without an Origin"
    assert (await site.watch("?project_id=2", additional_headers=cookie, origin=site.url))[0] == 403
    forged = {"cookie": f"{NAME}=made-up.signature"}
    assert (await site.watch("", additional_headers=forged, origin=site.url))[0] == 401


async def test_a_secret_key_in_the_url_opens_no_stream(site: Site) -> None:
    for kind in ("read", "admin"):
        key = (await site.key(kind))["x-api-key"]
        for prefix in ("/api/v1", "/api"):
            for status, told in (
                await site.watch(f"?key={key}", prefix),
                await site.read(f"?key={key}", prefix),
            ):
                assert (status, "X-API-Key" in told) == (401, True)


async def test_a_local_caller_of_an_open_server_gets_a_ticket_that_only_local_callers_use(
    web: httpx.AsyncClient, url: str
) -> None:
    session = new_session()
    await track(web, session, "a", 1)
    ticket = (await web.post(f"/api/v1/sessions/{session}/live/ticket")).json()["ticket"]
    with pytest.raises(InvalidStatus) as refused:
        async with connect(
            socket_url(url, session) + f"?ticket={ticket}", additional_headers={"x-forwarded-for": "203.0.113.9"}
        ):
            pass
    assert refused.value.response.status_code == 401
    ticket = (await web.post(f"/api/v1/sessions/{session}/live/ticket")).json()["ticket"]
    async with connect(socket_url(url, session) + f"?ticket={ticket}") as connection:
        await Watcher(connection).until_live()
