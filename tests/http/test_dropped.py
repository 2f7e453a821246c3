"""Batches that are not stored because somebody does not want it: what senders are told, and that nothing is there."""

import uuid
from copy import deepcopy
from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from tests.conftest import running
from tests.http.api import API, Json, local, new_session, public_key, row_counts
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.dialects.registry import DIALECTS
from tracker_backend.http import examples
from tracker_backend.http.services import Services
from tracker_backend.ingest.batch import Drop
from tracker_backend.ingest.dropping import is_sampled
from tracker_backend.metrics import DROPPED
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")

WRITES: dict[str, tuple[str, Json]] = {
    f"{API}/sessions": ("session_id", examples.SESSION),
    f"{API}/track": ("session_id", examples.TRACK),
    f"{API}/track/screenshot": ("session_id", examples.SCREENSHOT),
    f"{API}/track/recording": ("session_id", examples.RECORDING),
    **{
        route.removeprefix("POST "): (dialect.session_field, body)
        for dialect in DIALECTS
        for route, body in dialect.examples.items()
    },
}
"""Each route that stores, with the name of the session's id in its body, and a body."""
GPC = {"sec-gpc": "1"}


async def send(client: httpx.AsyncClient, services: Services, path: str, session: str, **headers: str) -> Any:
    """Stores something of a session by one of the routes."""
    name, example = WRITES[path]
    body: Json = {**deepcopy(example), name: session}
    key = await public_key(services)
    body |= {field: key for field in ("sdk_key", "projectId") if field in body or path == "/events"}
    answer = await client.post(path.replace("{session_id}", session), json=body, headers=headers)
    assert answer.status_code in (200, 201, 204), (path, answer.text)
    return answer


def kinds(value: Any) -> Any:
    """The shape of an answer: names and types."""
    if isinstance(value, dict):
        return {name: kinds(member) for name, member in cast("Json", value).items()}
    return type(value).__name__


def count_of(reason: Drop) -> float:
    """How many batches were counted as dropped for this."""
    return sum(
        sample.value
        for metric in DROPPED.collect()
        for sample in metric.samples
        if sample.labels.get("reason") == reason.value and sample.name.endswith("_total")
    )


async def set_project(services: Services, **settings: object) -> None:
    """Changes the default project's settings, which a server remembers for a second: before its first request."""
    await services.pool.execute("update tracker.projects set settings = $1", msgspec.json.encode(settings))


async def dump(services: Services) -> str:
    """All rows of all tables as text."""
    tables = await services.pool.fetch(
        "select c.relname from pg_class c where c.relnamespace = 'tracker'::regnamespace and c.relkind in ('r', 'p')"
    )
    found: list[str] = []
    for (table,) in tables:
        found += [row[0] for row in await services.pool.fetch(f"select t::text from tracker.{table} t")]
    return "\n".join(found)


def test_the_table_above_has_every_route_that_stores(standing_app: Litestar) -> None:
    routes = {
        route.path_format
        for route in standing_app.routes
        if isinstance(route, HTTPRoute)
        for handler, _ in route.route_handler_map.values()
        if "POST" in handler.http_methods and handler.opt["scope"] == "write"
    }
    assert routes == set(WRITES)


async def check_all_dropped(client: httpx.AsyncClient, services: Services, reason: Drop, **headers: str) -> None:
    """Every route says that it is done, and why nothing is stored, and nothing is."""
    session = new_session()
    counted = count_of(reason)
    await public_key(services)  # made at its first use
    before = await row_counts(services.pool)
    dropped = [await send(client, services, path, session, **headers) for path in WRITES]
    for path, answer in zip(WRITES, dropped, strict=True):
        assert answer.headers["x-tracker-dropped"] == reason.value, path
        assert "X-Tracker-Dropped" in answer.headers["access-control-expose-headers"], path
        if answer.content and "message" in answer.json():
            assert answer.json()["message"].startswith("not recorded: "), path
    assert await row_counts(services.pool) == before
    assert count_of(reason) == counted + len(WRITES)
    answers = {path: answer.json() for path, answer in zip(WRITES, dropped, strict=True) if answer.content}
    assert answers[f"{API}/sessions"]["session_id"] == session
    assert answers[f"{API}/track"]["count"] == 2
    assert answers[f"{API}/track/screenshot"]["screenshot_id"] == 0


async def test_what_a_browser_with_gpc_sends_is_not_stored_and_its_tracker_goes_on(
    client: httpx.AsyncClient, services: Services
) -> None:
    await check_all_dropped(client, services, Drop.GPC, **GPC)
    session = new_session()
    for path in WRITES:
        stored = await send(client, services, path, session)
        assert "x-tracker-dropped" not in stored.headers, path
        dropped = await send(client, services, path, session, **GPC)
        assert bool(stored.content) == bool(dropped.content)
        if stored.content:
            assert kinds(dropped.json()) == kinds(stored.json()), path
    assert await services.pool.fetchval("select count(*) from tracker.sessions") > 0


@pytest.mark.parametrize("headers", [{"sec-gpc": "0"}, {"sec-gpc": "true"}, {"dnt": "1"}, {}])
async def test_what_is_no_objection_or_not_heeded_changes_nothing(
    standing_client: httpx.AsyncClient, standing_services: Services, headers: dict[str, str]
) -> None:
    answer = await send(standing_client, standing_services, f"{API}/track", new_session(), **headers)
    assert "x-tracker-dropped" not in answer.headers


class TestDnt:
    """On a server that heeds DNT and not GPC."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, honour_dnt=True, honour_gpc=False)

    async def test_the_settings_say_what_is_heeded(self, client: httpx.AsyncClient, services: Services) -> None:
        stored = await send(client, services, f"{API}/track", new_session(), **GPC)
        assert "x-tracker-dropped" not in stored.headers
        await check_all_dropped(client, services, Drop.DNT, dnt="1")


class TestSampling:
    """A project that records a share of its sessions."""

    async def test_a_project_that_records_nothing_stores_nothing_by_any_route(
        self, client: httpx.AsyncClient, services: Services
    ) -> None:
        await set_project(services, sampling_rate=0)
        await check_all_dropped(client, services, Drop.SAMPLED)

    async def test_a_session_is_recorded_by_every_route_or_by_none(
        self, client: httpx.AsyncClient, services: Services
    ) -> None:
        await set_project(services, sampling_rate=0.5)
        sessions = [new_session() for _ in range(16)]
        wanted = {session for session in sessions if is_sampled(1, uuid.UUID(session), 0.5)}
        for session in sessions:
            for path in (f"{API}/track", "/api/ingest", "/events"):
                answer = await send(client, services, path, session)
                assert answer.headers.get("x-tracker-dropped") == (None if session in wanted else "sampled")
        stored = await services.pool.fetch("select session_id from tracker.sessions")
        assert {str(row[0]) for row in stored} == wanted

    def test_the_share_is_right_and_a_larger_one_holds_the_smaller(self) -> None:
        sessions = [uuid.UUID(int=number) for number in range(20_000)]
        shares = [{it for it in sessions if is_sampled(1, it, rate)} for rate in (0, 0.1, 0.5, 1)]
        assert [round(len(share) / len(sessions), 1) for share in shares] == [0, 0.1, 0.5, 1]
        assert shares[0] == set()
        assert shares[1] < shares[2] < shares[3]
        other = {it for it in sessions if is_sampled(2, it, 0.5)}
        assert 0.2 < len(other & shares[2]) / len(sessions) < 0.3, "projects choose for themselves"


@pytest.mark.tiers("plain", "timescale")
class TestAddresses:
    """Where visitors come from."""

    ADDRESS = "203.0.113.77"

    async def visit(self, app: Litestar, services: Services) -> str:
        """A visitor sends by all routes; the session."""
        session = new_session()
        key = await keys.create_key(services.pool, 1, "admin")
        async with local(app, peer=self.ADDRESS, host="tracker.example") as visitor:
            visitor.headers["x-api-key"] = key
            for path in WRITES:
                await send(visitor, services, path, session)
            answer = await visitor.get(f"{API}/sessions/{session}")
            refused = await visitor.get(f"{API}/sessions", headers={"x-api-key": "tb_r_wrong"})
        assert refused.status_code == 401
        return answer.json()["client_address"]

    async def test_no_address_is_stored_or_logged(
        self, app: Litestar, services: Services, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG", logger="tracker_backend")
        assert await self.visit(app, services) is None
        stored = await dump(services)
        assert "customer-17" in stored
        assert "203.0.113." not in stored
        assert self.ADDRESS not in caplog.text

    @pytest.mark.parametrize("address", ["203.0.113.77", "::ffff:203.0.113.77"])
    async def test_a_truncated_one_is_stored_where_a_setting_says_so(
        self, settings: Settings, dsn: str, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(TestAddresses, "ADDRESS", address)
        truncating = msgspec.structs.replace(settings, store_address="truncated")
        made = create_app(truncating, dsn)
        async with running(made):
            services: Services = made.state["services"]
            assert await self.visit(made, services) == "203.0.113.0/24"
            assert "113.77" not in await dump(services)
