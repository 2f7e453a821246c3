"""Keys by the API: made, listed, rotated, revoked; and how soon one that was revoked is refused everywhere."""

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import httpx
import pytest
from litestar import Litestar

from tests.conftest import running
from tests.http.api import API, Json, batch, check_problem, get, local
from tests.http.browsers import member
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.commands import keys as commands
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.http import ttl_cache
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")

HOUR = timedelta(hours=1)


async def made(client: httpx.AsyncClient, **wanted: object) -> Json:
    """A key that must be made."""
    answer = await client.post(f"{API}/keys", json=wanted)
    assert answer.status_code == 201, answer.text
    assert answer.headers["cache-control"] == "no-store"
    return answer.json()


async def listed(client: httpx.AsyncClient) -> dict[str, Json]:
    """The keys of the project by prefix."""
    return {line["prefix"]: line for line in (await get(client, "/keys"))["data"]}


async def dump(services: Services, *tables: str) -> str:
    """All rows of these tables as one text."""
    rows = [await services.pool.fetch(f"select t::text as line from tracker.{table} t") for table in tables]
    return "\n".join(row["line"] for found in rows for row in found)


def given(*tokens: str) -> SimpleNamespace:
    """In place of the module `secrets`: these are its next tokens."""
    left = iter(tokens)

    def token_urlsafe(_size: int) -> str:
        return next(left)

    return SimpleNamespace(token_urlsafe=token_urlsafe)


async def status(client: httpx.AsyncClient, key: str, *, writes: bool = False) -> int:
    """What a key is answered."""
    headers = {"x-api-key": key}
    if writes:
        return (await client.post(f"{API}/track", json=batch(), headers=headers)).status_code
    return (await client.get(f"{API}/sessions", headers=headers)).status_code


class TestMaking:
    """Secret keys."""

    @pytest.mark.parametrize("kind", ["write", "read", "admin"])
    async def test_a_key_is_shown_once_and_stored_as_a_hash(
        self, own_client: httpx.AsyncClient, standing_services: Services, kind: str
    ) -> None:
        key = await made(own_client, kind=kind, name="nightly", days=2)
        assert key["key"].startswith(f"tb_{kind[0]}_")
        assert key["prefix"] == key["key"][:10]
        assert await status(own_client, key["key"], writes=kind == "write") in (200, 201)
        answer = await own_client.get(f"{API}/keys")
        assert key["key"] not in answer.text
        line = (await listed(own_client))[key["prefix"]]
        assert (line["kind"], line["name"], line["public_key"], line["revoked_at"]) == (kind, "nightly", None, None)
        assert line["created_by"] == f"key {own_client.headers['x-api-key'][:10]}"
        expires = datetime.fromisoformat(line["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=1.99) < expires <= timedelta(days=2)
        text = await dump(standing_services, "api_keys", "audit")
        assert key["key"] not in text
        assert key["key"][10:] not in text

    @pytest.mark.parametrize(
        ("wanted", "tells"),
        [
            ({}, "kind"),
            ({"kind": "root"}, "root"),
            ({"kind": "read", "days": 0}, "days"),
            ({"kind": "read", "days": -1}, "days"),
            ({"kind": "read", "days": 4000}, "days"),
            ({"kind": "read", "name": "x" * 101}, "name"),
            ({"kind": "read", "project_id": 1}, "project_id"),
        ],
    )
    async def test_what_cannot_be_is_refused_with_a_text(
        self, own_client: httpx.AsyncClient, wanted: Json, tells: str
    ) -> None:
        check_problem(await own_client.post(f"{API}/keys", json=wanted), 422, "invalid", tells)
        assert len(await listed(own_client)) == 1

    async def test_an_editor_lists_and_rotates_and_makes_none(
        self, standing_app: Litestar, standing_services: Services, project: int
    ) -> None:
        async with (
            await member(standing_app, standing_services, project, "editor") as editor,
            await member(standing_app, standing_services, project, "viewer") as viewer,
        ):
            assert (await editor.call("GET", "/keys")).status_code == 200
            assert (await editor.call("POST", "/keys/rotate", {})).status_code == 201
            check_problem(await editor.call("POST", "/keys", {"kind": "read"}), 403, "forbidden", "you are editor")
            check_problem(await editor.call("DELETE", "/keys/tb_r_12345"), 403, "forbidden", "you are editor")
            check_problem(await viewer.call("GET", "/keys"), 403, "forbidden", "you are viewer")
            check_problem(await viewer.call("POST", "/keys/rotate", {}), 403, "forbidden", "you are viewer")

    async def test_the_last_use_is_noted(
        self, own_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        key, idle = await made(own_client, kind="read"), await made(own_client, kind="read")
        before = datetime.now(UTC)
        await status(own_client, key["key"])
        # What runs every half minute, and when the server stops.
        await standing_services.access.authentication.key_uses.store()
        lines = await listed(own_client)
        assert datetime.fromisoformat(lines[key["prefix"]]["last_used_at"]) >= before
        assert lines[idle["prefix"]]["last_used_at"] is None

    async def test_the_last_use_is_noted_when_the_server_stops(self, settings: Settings, dsn: str) -> None:
        async with running(create_app(settings, dsn)) as app, local(app) as client:
            services: Services = app.state["services"]
            default = await keys.default_project(services.pool)
            key = await keys.create_key(services.pool, default, "admin")
            assert await status(client, key) == 200
        async with running(create_app(settings, dsn)) as app, local(app) as client:
            client.headers["x-api-key"] = key
            assert (await listed(client))[key[:10]]["last_used_at"] is not None


class TestRotating:
    """The public write key, which stands in pages."""

    async def test_the_one_before_goes_on_for_a_day(
        self, own_client: httpx.AsyncClient, standing_services: Services, without_memory: None
    ) -> None:
        old = (await get(own_client, "/project"))["public_key"]
        answer = await own_client.post(f"{API}/keys/rotate")
        assert answer.status_code == 201, answer.text
        new = answer.json()
        assert new["replaced"] == old[:10]
        left = datetime.fromisoformat(new["replaced_until"]) - datetime.now(UTC)
        assert 23 * HOUR < left <= 24 * HOUR
        assert (await get(own_client, "/project"))["public_key"] == new["public_key"] != old
        for key in (old, new["public_key"]):
            assert (await own_client.post(f"{API}/track", json=batch(), headers={"x-api-key": key})).status_code == 201
        await standing_services.pool.execute(
            "update tracker.api_keys set expires_at = now() where public_key = $1", old
        )
        answer = await own_client.post(f"{API}/track", json=batch(), headers={"x-api-key": old})
        check_problem(answer, 401, "unauthorized", "expired")

    async def test_with_no_grace_it_ends_now(self, own_client: httpx.AsyncClient, without_memory: None) -> None:
        old = (await get(own_client, "/project"))["public_key"]
        new = (await own_client.post(f"{API}/keys/rotate", json={"grace_hours": 0})).json()
        assert (new["replaced"], new["replaced_until"]) == (old[:10], None)
        assert await status(own_client, old, writes=True) == 401
        assert await status(own_client, new["public_key"], writes=True) == 201

    async def test_of_rotations_at_once_one_key_stays_for_new_pages(self, own_client: httpx.AsyncClient) -> None:
        answers = await asyncio.gather(*(own_client.post(f"{API}/keys/rotate") for _ in range(5)))
        assert [answer.status_code for answer in answers] == [201] * 5
        current = (await get(own_client, "/project"))["public_key"]
        public = [line for line in (await listed(own_client)).values() if line["public_key"]]
        assert [line["public_key"] for line in public if line["expires_at"] is None] == [current]
        assert len(public) == 5
        assert current in [answer.json()["public_key"] for answer in answers]

    @pytest.mark.parametrize("hours", [-1, 9000, "x"])
    async def test_a_grace_that_cannot_be_is_refused(self, own_client: httpx.AsyncClient, hours: object) -> None:
        answer = await own_client.post(f"{API}/keys/rotate", json={"grace_hours": hours})
        check_problem(answer, 422, "invalid", "grace_hours")


class TestRevoking:
    """Keys that end."""

    async def test_a_key_is_named_by_its_first_characters(
        self, own_client: httpx.AsyncClient, without_memory: None
    ) -> None:
        key, other = await made(own_client, kind="read"), await made(own_client, kind="read")
        assert (await own_client.delete(f"{API}/keys/{key['prefix']}")).status_code == 204
        answer = await own_client.get(f"{API}/sessions", headers={"x-api-key": key["key"]})
        check_problem(answer, 401, "unauthorized", "revoked")
        assert await status(own_client, other["key"]) == 200
        assert (await listed(own_client))[key["prefix"]]["revoked_at"] is not None
        check_problem(await own_client.delete(f"{API}/keys/{key['prefix']}"), 404, "not-found", key["prefix"])

    async def test_a_whole_key_in_the_url_is_refused_and_not_repeated(self, own_client: httpx.AsyncClient) -> None:
        key = await made(own_client, kind="read")
        answer = await own_client.delete(f"{API}/keys/{key['key']}")
        check_problem(answer, 422, "invalid", "first 10 characters")
        assert key["key"] not in answer.text
        check_problem(await own_client.delete(f"{API}/keys/tb_r_"), 422, "invalid", "first 10 characters")
        assert await status(own_client, key["key"]) == 200

    async def test_no_two_keys_of_a_project_begin_alike(
        self, own_client: httpx.AsyncClient, standing_services: Services, monkeypatch: pytest.MonkeyPatch, project: int
    ) -> None:
        tokens = ("AAAAA-first", "AAAAA-second", "AAAAA-third", "BBBBB-fourth")
        monkeypatch.setattr(keys, "secrets", given(*tokens))
        made = [await keys.create_key(standing_services.pool, project, "read") for _ in range(2)]
        assert made == ["tb_r_AAAAA-first", "tb_r_BBBBB-fourth"]
        assert {"tb_r_AAAAA", "tb_r_BBBBB"} < set(await listed(own_client))

    async def test_another_projects_key_is_as_unknown_as_none(
        self, own_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        other = await make_project(standing_services.pool, "other")
        theirs = await keys.create_key(standing_services.pool, other, "read")
        public = await keys.public_key(standing_services.pool, other)
        for known, unknown in (
            (f"{API}/keys/{theirs[:10]}", f"{API}/keys/tb_r_zzzzz"),
            (f"/api/sessions/{public}/{other}", f"/api/sessions/tb_w_unknown/{other}"),
            (f"/api/sessions/{other}/{other}", f"/api/sessions/99999999/{other}"),
        ):
            method = "DELETE" if "/keys/" in known else "GET"
            answers = [await own_client.request(method, path) for path in (known, unknown)]
            texts = [
                answer.text.replace(path.split("/")[3 if "/api/sessions" in path else 4], "X")
                for answer, path in zip(answers, (known, unknown), strict=True)
            ]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert texts[0] == texts[1]
        assert await status(own_client, theirs) == 200
        assert theirs[:10] not in await listed(own_client)

    async def test_another_process_refuses_it_when_what_it_remembers_is_a_second_old(
        self, settings: Settings, dsn: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SimpleNamespace(now=1000.0)
        monkeypatch.setattr(ttl_cache, "time", SimpleNamespace(monotonic=lambda: clock.now))
        async with (
            running(create_app(settings, dsn)) as first,
            running(create_app(settings, dsn)) as second,
            local(first) as here,
            local(second) as there,
        ):
            services: Services = first.state["services"]
            default = await keys.default_project(services.pool)
            here.headers["x-api-key"] = await keys.create_key(services.pool, default, "admin")
            key = await made(here, kind="read")
            assert await status(there, key["key"]) == 200  # it remembers the key from now on
            clock.now += 0.5
            assert (await here.delete(f"{API}/keys/{key['prefix']}")).status_code == 204
            clock.now += 0.499
            assert await status(there, key["key"]) == 200
            clock.now += 0.001  # a second after it looked, half a one after the key was revoked
            assert await status(there, key["key"]) == 401
            assert await status(here, key["key"]) == 401

    async def test_a_busy_key_is_not_remembered_for_longer(
        self, own_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SimpleNamespace(now=1000.0)
        monkeypatch.setattr(ttl_cache, "time", SimpleNamespace(monotonic=lambda: clock.now))
        key = await made(own_client, kind="read")
        assert await status(own_client, key["key"]) == 200
        assert (await own_client.delete(f"{API}/keys/{key['prefix']}")).status_code == 204
        answers: list[int] = []
        for _ in range(12):
            clock.now += 0.1
            answers.append(await status(own_client, key["key"]))
        assert answers == [200] * 9 + [401] * 3

    async def test_a_key_that_was_unknown_works_within_the_second_too(
        self, own_client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SimpleNamespace(now=1000.0)
        monkeypatch.setattr(ttl_cache, "time", SimpleNamespace(monotonic=lambda: clock.now))
        monkeypatch.setattr(keys, "secrets", given("guessed-before-it-was"))
        assert await status(own_client, "tb_r_guessed-before-it-was") == 401
        await made(own_client, kind="read")
        clock.now += 1.0
        assert await status(own_client, "tb_r_guessed-before-it-was") == 200


class TestCommands:
    """What the operator does."""

    async def test_a_key_that_was_not_ended_is_an_error(self, standing_services: Services, project: int) -> None:
        pool = standing_services.pool
        other = await make_project(pool, "another")
        key = (await commands.create_key(pool, other, "admin", "", None)).key
        with pytest.raises(NotFound, match=f"no valid key of project {project} begins with {key[:10]}:"):
            await commands.revoke_key(pool, project, key)
        assert await commands.revoke_key(pool, other, key) == {"revoked": 1}

    @pytest.mark.parametrize("number", [-1, 1e12, float("nan")])
    async def test_a_time_that_cannot_be_is_told(
        self, standing_services: Services, project: int, number: float
    ) -> None:
        pool = standing_services.pool
        with pytest.raises(Invalid, match="--days is"):
            await commands.create_key(pool, project, "read", "", number)
        with pytest.raises(Invalid, match="--grace-hours is"):
            await commands.rotate_key(pool, project, number)
