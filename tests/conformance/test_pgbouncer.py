"""The server behind PgBouncer in transaction mode: each transaction may meet another server connection."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import asyncpg
import pytest

from tests.conformance.hourly import wrong_event_hours, wrong_session_hours
from tests.conformance.visits import clicks, days_ago, now, visit
from tests.conftest import Server
from tracker_backend.errors import NotFound
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance.leader import Leader
from tracker_backend.maintenance.tasks import TASKS
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.queries.events import list_events
from tracker_backend.queries.sessions import list_sessions
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.pool import connect

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
POOLED = Settings(pool_min=1, pool_max=8, database_pooler=True)

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no pgbouncer on this machine")


def _user(server: Server) -> dict[str, Any]:
    """PgBouncer refuses to run as root; PostgreSQL's own user reaches its socket."""
    if os.geteuid() != 0:
        return {}
    owner = (server.postgres.folder / "data").stat()
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def bouncer(server: Server) -> Iterator[str]:
    """Ends its own PgBouncer afterwards; yields the start of DSNs that go through it. PostgreSQL is left through two
    connections for all clients, so that they meet each other's.
    """
    direct = urlsplit(server.postgres.dsn)
    host = parse_qs(direct.query)["host"][0]
    with tempfile.TemporaryDirectory(prefix="tracker-test-bouncer-") as name:
        folder, port = Path(name), _free_port()
        folder.chmod(0o755)
        (folder / "users.txt").write_text(f'"{direct.username}" "{direct.password}"\n', "utf-8")
        (folder / "bouncer.ini").write_text(
            f"""[databases]
* = host={host} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 2
""",
            "utf-8",
        )
        assert PROGRAM is not None
        process = subprocess.Popen([PROGRAM, "-q", folder / "bouncer.ini"], stderr=subprocess.PIPE, **_user(server))
        try:
            yield f"postgresql://{direct.username}@127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate(timeout=30)


async def _listening(dsn: str) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError, asyncpg.PostgresError):
                await (await asyncpg.connect(dsn, statement_cache_size=0)).close()
                return
            await asyncio.sleep(0.02)


async def test_a_connection_over_tcp_notices_that_its_peer_is_gone(server: Server, bouncer: str) -> None:
    dsn = bouncer + urlsplit(await server.empty_database()).path
    await _listening(dsn)
    connection = await connect(POOLED, dsn)
    try:
        found = connection._transport.get_extra_info("socket")  # pyright: ignore
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
    finally:
        await connection.close()


async def test_migrations_writes_reads_deletes_and_maintenance_work_through_a_pooler(
    server: Server, bouncer: str
) -> None:
    name = urlsplit(await server.empty_database()).path
    dsn = f"{bouncer}{name}"
    await _listening(dsn)
    installation, applied = await migrate(POOLED, dsn)
    assert len(applied) >= 6
    assert await migrate(POOLED, dsn) == (installation, [])

    first, second = await Database.open(POOLED, dsn), await Database.open(POOLED, dsn)
    pipelines = [Pipeline(POOLED, each.store) for each in (first, second)]
    for pipeline in pipelines:
        pipeline.writer.start()
    try:
        assert first.node.number != second.node.number
        sessions = [uuid4() for _ in range(20)]
        await asyncio.gather(
            *(
                visit(pipeline, clicks(moment, 20), session=session, received=now())
                for pipeline in pipelines
                for session in sessions
                for moment in (days_ago(5), days_ago(2), now())
            )
        )
        pages = await asyncio.gather(*(list_events(first.pool, 1, session) for session in sessions))
        assert (
            [page.total for page in pages] == [len(page.data) for page in pages] == [80] * 20
        )  # two of the three batches came twice
        assert (await list_sessions(second.pool, 1, {})).total == 20

        assert await erase_session(second.pool, second.node, 1, sessions[0])
        with pytest.raises(NotFound):
            await list_events(first.pool, 1, sessions[0])
        leaders = [Leader(each.maintained) for each in (first, second)]
        assert [await leader.take_lease() for leader in leaders] == [True, False]
        for task in TASKS:
            await task.run_once(second.maintained)
        assert await wrong_event_hours(first.pool) == []
        assert await wrong_session_hours(first.pool) == []
        assert await first.pool.fetchval("select sum(count) from tracker.events_hourly") == 19 * 80
    finally:
        for pipeline in pipelines:
            await pipeline.writer.stop()
        await first.close()
        await second.close()
