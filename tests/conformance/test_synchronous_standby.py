"""A commit that waits for a synchronous standby is not acknowledged before the standby has it, nor is its repeat."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from tests.conformance.analysts import as_superuser, run
from tests.conftest import Server, running
from tests.http.api import API, PAGE, Json, batch, check_problem, event, events_of, local, new_session
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings
from tracker_backend.storage.embedded import EmbeddedPostgres

WAITING = "select pid from pg_stat_activity where wait_event = 'SyncRep' and datname = current_database()"
RECORDING: list[Json] = [{"type": 4, "data": {"href": PAGE}, "timestamp": 1_795_255_200_000}]


@pytest.fixture
def own_server(server: Server) -> Iterator[Server]:
    """A server of this tier whose settings a test may change."""
    with tempfile.TemporaryDirectory(prefix="tracker-test-standby-") as folder:
        Path(folder).chmod(0o755)
        options = {"fsync": "off"}
        if server.postgres.tier == "timescale":
            options["timescaledb.max_background_workers"] = "0"
        with EmbeddedPostgres(Path(folder), server.postgres.installation.bin_dir, options=options) as postgres:
            yield Server(postgres)


@pytest.fixture
async def app(own_server: Server) -> AsyncIterator[Litestar]:
    """A server whose requests end after a second, on a database whose standby is away."""
    settings = Settings(pool_min=1, pool_max=8, limit_keyless=0, limit_key=0, limit_project=0, request_timeout=1)
    async with running(create_app(settings, await own_server.database())) as made:
        await set_standby(own_server, "away")
        yield made
        await set_standby(own_server, "")


async def set_standby(server: Server, name: str) -> None:
    """Names the standby that has to have each commit; none with an empty name. Returns when the server knows it.

    As an operator may have it, other transactions than the server's own do not wait.
    """
    superuser = as_superuser(server.admin_dsn)
    await run(superuser, f"alter system set synchronous_standby_names = '{name}'")
    await run(superuser, "alter system set synchronous_commit = 'local'")
    await run(superuser, "select pg_reload_conf()")
    shown = f"do $$ begin while current_setting('synchronous_standby_names') <> '{name}' loop perform pg_sleep(0.01);"
    await server.execute(f"{shown} end loop; end $$")


async def waiting(services: Services) -> int:
    """The process that waits for the standby, once there is one."""
    while (process := await services.pool.fetchval(WAITING)) is None:
        pass
    return process


@pytest.mark.parametrize("path", ["track", "track/recording"])
async def test_neither_a_batch_nor_its_repeat_is_acknowledged_before_the_standby_has_it(
    client: httpx.AsyncClient, services: Services, own_server: Server, path: str
) -> None:
    body: Json = {"session_id": new_session(), "batch_id": "1", "events": RECORDING if "rec" in path else [event()]}

    first = await client.post(f"{API}/{path}", json=body)
    check_problem(first, 503, "unavailable")
    process = await waiting(services)
    check_problem(await client.post(f"{API}/{path}", json=body), 503, "unavailable")
    assert await waiting(services) == process, "the commit was not cut off"

    # What an administrator can still do ends the wait: the batch is stored here, and nowhere else.
    assert await services.pool.fetchval("select pg_cancel_backend($1)", process)
    while not (await client.get(f"{API}/sessions/{body['session_id']}")).is_success:
        pass
    check_problem(await client.post(f"{API}/{path}", json=body), 503, "unavailable")
    assert await waiting(services)

    await set_standby(own_server, "")
    while (answer := await client.post(f"{API}/{path}", json=body)).status_code == 503:
        pass
    assert answer.status_code == 201
    stored = (await client.get(f"{API}/sessions/{body['session_id']}")).json()
    assert stored["native_event_count"] + stored["recorded_event_count"] == 1


async def test_a_server_ends_while_a_commit_waits(own_server: Server) -> None:
    settings = Settings(pool_min=1, pool_max=8, limit_keyless=0, limit_key=0, limit_project=0, request_timeout=1)
    dsn = await own_server.database()
    body = batch()
    async with running(create_app(settings, dsn)) as app, local(app) as client:
        await set_standby(own_server, "away")
        assert (await client.post(f"{API}/track", json=body)).status_code == 503
    await set_standby(own_server, "")
    async with running(create_app(settings, dsn)) as app, local(app) as client:
        while (await client.post(f"{API}/track", json=body)).status_code == 503:
            pass
        assert len(await events_of(client, body["session_id"])) == 1


async def test_health_warns_of_settings_that_lose_commits(client: httpx.AsyncClient, own_server: Server) -> None:
    [warning] = (await client.get("/health")).json()["warnings"]
    assert warning.startswith("PostgreSQL's fsync is off: ")
