"""How much one caller may ask: a bucket for each address, for each key and address, and for each project."""

from typing import Any

import httpx
import pytest
from litestar import Litestar

from tests.http.api import API, batch, check_problem, local, new_session
from tests.http.browsers import logged_in
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")

LIMIT = 5


async def _until_refused(client: httpx.AsyncClient, **arguments: Any) -> tuple[int, httpx.Response]:
    """How many calls pass, and the first refusal."""
    for passed in range(100):
        answer = await client.post(f"{API}/track", json=batch(), **arguments)
        if answer.status_code != 201:
            return passed, answer
    raise AssertionError("a hundred calls passed")


def _check_refusal(answer: httpx.Response, limit: int = LIMIT) -> None:
    check_problem(answer, 429, "limit-exceeded", str(limit), "wait")
    wait = int(answer.headers["retry-after"])
    assert 0 < wait <= 60
    assert answer.headers["ratelimit-limit"] == str(limit)
    assert answer.headers["ratelimit-remaining"] == "0"
    assert int(answer.headers["ratelimit-reset"]) == wait


class TestKeyless:
    """Calls without a key are counted by address."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4, limit_keyless=LIMIT, limit_key=0, limit_project=0)

    async def test_more_calls_than_the_limit_are_refused_until_later(self, client: httpx.AsyncClient) -> None:
        passed, refused = await _until_refused(client)
        assert passed == LIMIT
        _check_refusal(refused)
        assert refused.headers["access-control-allow-origin"] == "*"

    async def test_reads_and_writes_count_together(self, client: httpx.AsyncClient) -> None:
        for _ in range(LIMIT):
            assert (await client.get(f"{API}/sessions")).status_code == 200
        _check_refusal((await _until_refused(client))[1])

    async def test_another_address_has_its_own_limit(self, client: httpx.AsyncClient, app: Litestar) -> None:
        assert (await _until_refused(client))[0] == LIMIT
        async with local(app, peer="::1") as other:
            assert (await _until_refused(other))[0] == LIMIT

    async def test_a_refused_call_stores_nothing(self, client: httpx.AsyncClient, services: Services) -> None:
        await _until_refused(client)
        assert await services.pool.fetchval("select count(*) from tracker.sessions") == LIMIT

    async def test_images_and_the_service_itself_are_not_limited(self, client: httpx.AsyncClient) -> None:
        await _until_refused(client)
        for _ in range(LIMIT * 4):
            assert (await client.get(f"{API}/screenshots/1")).status_code == 404
            assert (await client.get("/health")).status_code == 200
            assert (await client.get("/tracker.js")).status_code == 200

    async def test_guessing_keys_is_limited(self, client: httpx.AsyncClient) -> None:
        answers = [await client.get(f"{API}/sessions", headers={"x-api-key": f"tb_r_{n}"}) for n in range(LIMIT + 1)]
        assert [answer.status_code for answer in answers] == [401] * LIMIT + [429]
        _check_refusal(answers[-1])

    @pytest.mark.parametrize("path", [f"{API}/sessions", f"{API}/me", "/api/projects", f"{API}/screenshots/1"])
    async def test_refused_calls_without_a_key_are_limited(self, app: Litestar, path: str) -> None:
        async with local(app, peer="203.0.113.9", host="tracker.example") as visitor:
            answers = [await visitor.get(path) for _ in range(LIMIT + 1)]
        assert [answer.status_code for answer in answers] == [401] * LIMIT + [429]

    async def test_nobody_is_refused_because_others_guess(self, app: Litestar, services: Services) -> None:
        project = await keys.default_project(services.pool)
        valid = [await keys.create_key(services.pool, project, "write") for _ in range(LIMIT)]
        async with local(app, peer="203.0.113.9", host="tracker.example") as visitor:
            for number, key in enumerate(valid):
                for guess in range(2 * LIMIT):
                    wrong = {"x-api-key": f"tb_w_{number}_{guess}"}
                    assert (await visitor.post(f"{API}/track", json=batch(), headers=wrong)).status_code in (401, 429)
                    assert (await visitor.post("/events", json={"projectId": wrong["x-api-key"]})).status_code != 204
                right = {"x-api-key": key}  # seen for the first time, so that no cache knows it
                assert (await visitor.post(f"{API}/track", json=batch(), headers=right)).status_code == 201


class TestWithAKey:
    """Calls with a key are counted by key and address."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4, limit_keyless=1, limit_key=LIMIT, limit_project=0)

    async def test_a_key_has_a_limit_for_each_address(
        self, client: httpx.AsyncClient, app: Litestar, services: Services
    ) -> None:
        project = await keys.default_project(services.pool)
        one, two = [{"x-api-key": await keys.create_key(services.pool, project, "write")} for _ in range(2)]
        passed, refused = await _until_refused(client, headers=one)
        assert passed == LIMIT
        _check_refusal(refused)
        assert (await _until_refused(client, headers=two))[0] == LIMIT
        async with local(app, peer="203.0.113.9", host="tracker.example") as visitor:
            assert (await _until_refused(visitor, headers=one))[0] == LIMIT


class TestBehindAProxy:
    """The address is the nearest one that is not a trusted proxy."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(
            pool_min=1, pool_max=4, limit_keyless=0, limit_key=LIMIT, limit_project=0, trusted_proxies=("10.0.0.0/8",)
        )

    async def test_each_visitor_behind_a_trusted_proxy_has_a_limit(self, app: Litestar, services: Services) -> None:
        key = await keys.create_key(services.pool, await keys.default_project(services.pool), "write")
        async with local(app, peer="10.1.2.3", host="tracker.example") as proxy:
            for visitor in ("203.0.113.1", "203.0.113.2"):
                headers = {"x-api-key": key, "x-forwarded-for": f"198.51.100.77, {visitor}, 10.9.9.9"}
                assert (await _until_refused(proxy, headers=headers))[0] == LIMIT
            claimed = {"x-api-key": key, "x-forwarded-for": "1.2.3.4, 203.0.113.1"}
            assert (await _until_refused(proxy, headers=claimed))[0] == 0, "what the visitor claims changes nothing"

    async def test_nobody_else_can_name_an_address(self, app: Litestar, services: Services) -> None:
        key = await keys.create_key(services.pool, await keys.default_project(services.pool), "write")
        async with local(app, peer="203.0.113.9", host="tracker.example") as visitor:
            passed = 0
            for n in range(LIMIT + 1):
                headers = {"x-api-key": key, "x-forwarded-for": f"198.51.100.{n}"}
                answer = await visitor.post(f"{API}/track", json=batch(), headers=headers)
                passed += answer.status_code == 201
            assert passed == LIMIT


class TestProject:
    """All keys of a project have a ceiling together."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4, limit_keyless=0, limit_key=0, limit_project=LIMIT)

    async def test_a_project_has_a_ceiling_and_others_are_not_touched(
        self, client: httpx.AsyncClient, services: Services
    ) -> None:
        project = await keys.default_project(services.pool)
        one, two = [{"x-api-key": await keys.create_key(services.pool, project, "write")} for _ in range(2)]
        assert (await _until_refused(client, headers=one))[0] == LIMIT
        passed, refused = await _until_refused(client, headers=two)
        assert passed == 0
        _check_refusal(refused)
        other = await make_project(services.pool, "other")
        key = {"x-api-key": await keys.create_key(services.pool, other, "write")}
        assert (await _until_refused(client, headers=key))[0] == LIMIT


class TestProjectsOwn:
    """A project's own settings stand in place of the server's, and may be changed at any time."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4, limit_keyless=0, limit_key=LIMIT, limit_project=LIMIT)

    async def test_a_project_has_limits_of_its_own(self, client: httpx.AsyncClient, services: Services) -> None:
        headers: dict[str, dict[str, str]] = {}
        for own in ('{"limit_key": 2}', '{"limit_project": 3, "limit_key": 0}', '{"limit_key": 0, "limit_project": 0}'):
            project = await make_project(services.pool, own)
            change = "update tracker.projects set settings = $2 where project_id = $1"
            await services.pool.execute(change, project, own.encode())
            headers[own] = {"x-api-key": await keys.create_key(services.pool, project, "write")}
        by_key, by_project, unlimited = headers.values()
        passed, refused = await _until_refused(client, headers=by_key)
        assert passed == 2
        _check_refusal(refused, 2)
        passed, refused = await _until_refused(client, headers=by_project)
        assert passed == 3
        _check_refusal(refused, 3)
        for _ in range(3 * LIMIT):
            assert (await client.get(f"{API}/sessions", headers=unlimited)).status_code == 403  # counted: a valid key
            assert (await client.post(f"{API}/track", json=batch(), headers=unlimited)).status_code == 201

    async def test_a_person_has_the_limits_of_the_project_that_they_look_at(self, app: Litestar) -> None:
        services: Services = app.state["services"]
        async with local(app) as browser:
            browser.headers["cookie"] = (await logged_in(services, "owner"))["cookie"]
            for _ in range(LIMIT):
                assert (await browser.get(f"{API}/sessions")).status_code == 200
            _check_refusal(await browser.get(f"{API}/sessions"))


class TestDefaults:
    """Without a word in the settings."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4)

    async def test_a_hundred_calls_a_minute_pass_without_a_key(self, client: httpx.AsyncClient) -> None:
        for _ in range(100):
            assert (await client.get(f"{API}/sessions/{new_session()}")).status_code == 404
        # One more may pass: a bucket refills while the test runs, 1.7 calls a second.
        passed = 0
        while (answer := await client.get(f"{API}/sessions/{new_session()}")).status_code == 404:
            passed += 1
            assert passed < 50
        _check_refusal(answer, 100)


class TestSpectra:
    """The dialect `spectra` has a limit of its own for each key and address."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4, limit_keyless=0, limit_key=0, limit_project=0, limit_spectra=LIMIT)

    async def test_calls_of_spectra_are_counted_and_others_are_not(self, app: Litestar) -> None:
        services: Services = app.state["services"]
        key = await keys.create_key(services.pool, 1, "admin")
        async with local(app) as client:
            client.headers["x-api-key"] = key
            session = new_session()
            assert (await client.post(f"{API}/track", json=batch(session_id=session))).status_code == 201
            for _ in range(LIMIT):
                assert (await client.post(f"/api/sessions/{session}/heartbeat")).status_code == 200
            refused = await client.post(f"/api/sessions/{session}/heartbeat")
            assert refused.status_code == 429
            assert str(LIMIT) in refused.json()["error"]
            assert 0 < int(refused.headers["retry-after"]) <= 60
            for _ in range(LIMIT):
                assert (await client.post(f"{API}/track", json=batch(session_id=session))).status_code == 201
