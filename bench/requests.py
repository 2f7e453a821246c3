"""What the load of events is: requests of the mix, the emptied tables that they go into, the server that takes them."""

import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import psutil
from msgspec import Struct

from bench import load, mix
from tests.processes import Running

CONNECTIONS = 32
SESSIONS = 200
SIZES = (1, 50, 100)


class Loaded(Struct, frozen=True):
    """A server that has answered a load, and still runs."""

    process: psutil.Process
    load: load.Load
    cpu: float
    """Seconds of processor time that its processes took for it."""


def bodies(events_per_request: int, total: int) -> list[bytes]:
    """Requests of the mix, each a named batch of one of 200 sessions, as the tracker sends them."""
    made = mix.events(SESSIONS, -(-total // SESSIONS), datetime.now(UTC), seed=1)[:total]
    sessions = [str(uuid4()) for _ in range(SESSIONS)]
    return [
        msgspec.json.encode(
            {
                "session_id": sessions[number % SESSIONS],
                "batch_id": str(uuid4()),
                "events": made[first : first + events_per_request],
            }
        )
        for number, first in enumerate(range(0, total, events_per_request))
    ]


def warm_up(events_per_request: int) -> list[bytes]:
    """The first ten requests of each connection, which are not counted."""
    return bodies(events_per_request, 10 * CONNECTIONS * events_per_request)


async def empty(dsn: str) -> None:
    """Empties what batches fill."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "truncate tracker.events, tracker.recordings, tracker.sessions, tracker.ingest_batches, tracker.session_totals"
    )
    await connection.close()


@asynccontextmanager
async def loaded(
    dsn: str,
    first: Sequence[bytes],
    sent: Sequence[bytes],
    rows: int,
    *,
    path: str = "/api/v1/track",
    table: str = "events",
    connections: int = CONNECTIONS,
    module: str = "tracker_backend",
    **environ: str,
) -> AsyncGenerator[Loaded]:
    """Starts a server on emptied tables, warms it up with the `first` bodies and loads it with those `sent`; ends it on
    leaving. SystemExit where they do not become so many rows of the table.
    """
    await empty(dsn)
    program = (sys.executable, "-m", module)
    with Running(program=program, DATABASE_URL=dsn, TRACKER_LOG_LEVEL="warning", **environ) as server:
        url, process = httpx.URL(server.url), psutil.Process(server.process.pid)
        calls = [load.request(path, url.netloc.decode(), body) for body in (*first, *sent)]
        await load.run(url.host, url.port or 80, calls[: len(first)], connections)
        before = processor_time(process)
        found = await load.run(url.host, url.port or 80, calls[len(first) :], connections)
        yield Loaded(process, found, processor_time(process) - before)
    connection = await asyncpg.connect(dsn)
    stored = await connection.fetchval(f"select count(*) from tracker.{table}")
    await connection.close()
    if found.refused or stored != rows:
        raise SystemExit(f"{found.refused} requests were refused, {stored} of {rows} rows of {table} are stored")


def processor_time(process: psutil.Process) -> float:
    """Seconds that a process and its children have run, in user mode and in the kernel."""
    times = [member.cpu_times() for member in (process, *process.children(recursive=True))]
    return sum(each.user + each.system for each in times)
