"""What a server says that cannot take a batch now: 503 with `Retry-After`, at once, and it recovers by itself."""

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, running
from tests.http.api import API, batch, check_problem, event, events_of, get, local, new_session, row_counts, track
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.ingest.batch import Placed
from tracker_backend.ingest.commit import Written
from tracker_backend.settings import Settings
from tracker_backend.storage.embedded import EmbeddedPostgres

pytestmark = pytest.mark.tiers("plain")

READS = ("/sessions", f"/sessions/{new_session()}", f"/sessions/{new_session()}/events", "/analytics/hourly")


def _check_unavailable(answer: httpx.Response, *tells: str) -> None:
    check_problem(answer, 503, "unavailable", *tells)
    assert 0 < int(answer.headers["retry-after"]) <= 60


class Stalled:
    """Stands in front of the store: transactions begin when they are let."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has_begun = asyncio.Event()
        self.let = asyncio.Event()
        self._write = services.pipeline.commit.write
        monkeypatch.setattr(services.pipeline.commit, "write", self.write)

    async def write(self, group: Sequence[Placed]) -> list[Written]:
        self.has_begun.set()
        await self.let.wait()
        return await self._write(group)


class TestFullQueue:
    """With a queue of 10 kB."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4, limit_keyless=0, limit_key=0, limit_project=0, queue_bytes=20_000)

    async def test_a_full_queue_refuses_at_once_and_takes_again_when_it_is_written(
        self, client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stalled = Stalled(services, monkeypatch)
        body = batch(event(event_data="x" * 6_000))
        waiting = asyncio.create_task(client.post(f"{API}/track", json=body))
        await stalled.has_begun.wait()
        assert (await client.get("/health")).json()["status"] == "degraded"

        refused = await client.post(f"{API}/track", json=batch(event(event_data="x" * 6_000)))

        _check_unavailable(refused, "queue", "send the batch again")
        assert refused.headers["access-control-allow-origin"] == "*"
        assert not waiting.done(), "it did not wait for the other one"
        small = asyncio.create_task(client.post(f"{API}/track", json=batch()))
        stalled.let.set()
        assert (await waiting).status_code == (await small).status_code == 201
        assert (await client.get("/health")).json()["status"] == "healthy"
        assert (await client.post(f"{API}/track", json=batch(event(event_data="x" * 6_000)))).status_code == 201
        assert (await row_counts(services.pool))["sessions"] == 3

    async def test_a_batch_that_can_never_fit_is_refused_too(self, client: httpx.AsyncClient) -> None:
        _check_unavailable(await client.post(f"{API}/track", json=batch(event(event_data="x" * 20_000))))


@pytest.mark.tiers("plain", "timescale")
class TestSlowDatabase:
    """With a time-out of a second."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(pool_min=1, pool_max=4, limit_keyless=0, limit_key=0, limit_project=0, request_timeout=1)

    async def test_a_batch_that_waits_too_long_is_answered_and_stored_once_when_it_is_sent_again(
        self, client: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stalled = Stalled(services, monkeypatch)
        body = batch()
        _check_unavailable(await client.post(f"{API}/track", json=body), "slow", "stored once")
        again = asyncio.create_task(client.post(f"{API}/track", json=body))
        stalled.let.set()
        assert (await again).status_code == 201
        assert len(await events_of(client, body["session_id"])) == 1


async def test_connections_that_were_ended_are_replaced(
    client: httpx.AsyncClient, services: Services, server: Server, dsn: str
) -> None:
    session = await track(client)
    name = dsn.rpartition("/")[2].partition("?")[0]
    for _ in range(2):
        await server.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        answers = [await client.get(f"{API}/sessions/{session}") for _ in range(10)]
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert answers[-1].status_code == 200
    await track(client, session_id=session)
    assert (await get(client, f"/sessions/{session}"))["event_count"] == 2
    assert services.pool.get_size() >= 1


async def test_a_read_whose_connection_is_ended_meanwhile_is_told_to_come_again(
    client: httpx.AsyncClient, services: Services
) -> None:
    waiting = "select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with services.pool.acquire() as connection, connection.transaction():
        await connection.execute("lock table tracker.sessions in access exclusive mode")
        reading = asyncio.create_task(client.get(f"{API}/sessions"))
        while (process := await services.pool.fetchval(waiting)) is None:
            assert not reading.done()
        assert await services.pool.fetchval("select pg_terminate_backend($1)", process)
        _check_unavailable(await reading, "database")
    assert (await client.get(f"{API}/sessions")).status_code == 200


@pytest.fixture
def own_server(server: Server) -> Iterator[EmbeddedPostgres]:
    """A server of this tier that a test may stop."""
    with tempfile.TemporaryDirectory(prefix="tracker-test-away-") as folder:
        Path(folder).chmod(0o755)
        options = {"fsync": "off", "timescaledb.max_background_workers": "0"} if server.postgres.tier != "plain" else {}
        postgres = EmbeddedPostgres(Path(folder), server.postgres.installation.bin_dir, options=options)
        try:
            yield postgres
        finally:
            postgres.stop()


async def test_a_database_that_is_away_is_told_and_awaited(own_server: EmbeddedPostgres, settings: Settings) -> None:
    await asyncio.to_thread(own_server.start)
    dsn = await Server(own_server).database()
    async with running(create_app(settings, dsn)) as app, local(app) as client:
        body = batch()
        assert (await client.post(f"{API}/track", json=body)).status_code == 201
        assert (await client.get("/health")).status_code == 200

        await asyncio.to_thread(own_server.stop)

        for _ in range(2):
            for path in READS:
                _check_unavailable(await client.get(f"{API}{path}"), "database")
            _check_unavailable(await client.post(f"{API}/track", json=batch()), "again")
            _check_unavailable(await client.post(f"{API}/sessions", json={"page_url": "https://a.example/"}))
            _check_unavailable(await client.get(f"{API}/sessions", headers={"x-api-key": "tb_r_any"}), "database")
            health = await client.get("/health")
            assert health.status_code == 503
            assert (health.json()["status"], health.json()["database"]) == ("unhealthy", "disconnected")
            assert (await client.get("/metrics")).status_code == 200

        await asyncio.to_thread(own_server.start)

        assert (await client.post(f"{API}/track", json=body)).status_code == 201, "without a restart of ours"
        assert len(await events_of(client, body["session_id"])) == 1
        assert (await client.get("/health")).json()["status"] == "healthy"
