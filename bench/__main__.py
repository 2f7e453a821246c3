"""`make bench`: raw COPY, then the server under 1, 50 and 100 events a request, in turn and on one database.

The machine is shared and noisy: believe the ratios. Each round measures COPY and the server one after the other, and
the medians of the rounds are printed.
"""

import argparse
import asyncio
import platform
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import msgspec
import psutil

from bench import load, mix
from bench.copy import copy_rows, rows_of
from bench.processes import MIB, memory, server
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.embedded import EmbeddedPostgres, find_installations

CONNECTIONS = 32
SESSIONS = 200
SIZES = (1, 50, 100)
TIERS = ("plain", "timescale")


class Result(msgspec.Struct, frozen=True):
    """One measurement: rates in events a second, latencies in milliseconds, memory in MiB."""

    rate: float
    copy_rate: float
    p50: float
    p95: float
    p99: float
    server: float
    postgres: float

    @property
    def ratio(self) -> float:
        """Of raw COPY."""
        return self.rate / self.copy_rate


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


async def measure(settings: Settings, postgres: EmbeddedPostgres, size: int, total: int, workers: int) -> Result:
    """One round: COPY of the rows, then the same events through the server, into emptied tables."""
    sent = bodies(size, total)
    postmaster = psutil.Process(int((postgres.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0]))
    await _empty(postgres.dsn)
    database = await Database.open(settings, postgres.dsn)
    rows = rows_of(sent, database, settings)
    await database.close()
    copy_rate = len(rows) / await copy_rows(settings, postgres.dsn, rows)
    del rows
    await _empty(postgres.dsn)
    with server(postgres.dsn, workers) as (host, port, process):
        requests = [load.request("/api/v1/track", f"{host}:{port}", body) for body in sent]
        found = await load.run(host, port, requests, CONNECTIONS)
        used = memory(process), memory(postmaster)
    connection = await asyncpg.connect(postgres.dsn)
    stored = await connection.fetchval("select count(*) from tracker.events")
    await connection.close()
    if found.refused or stored != total:
        raise SystemExit(f"{found.refused} requests were refused, {stored} of {total} events are stored")
    cuts = statistics.quantiles(found.latencies, n=100)
    return Result(
        rate=total / found.seconds,
        copy_rate=copy_rate,
        p50=cuts[49] * 1000,
        p95=cuts[94] * 1000,
        p99=cuts[98] * 1000,
        server=used[0] / MIB,
        postgres=used[1] / MIB,
    )


async def _empty(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("truncate tracker.events, tracker.sessions, tracker.ingest_batches, tracker.session_totals")
    await connection.close()


async def bench(tier: str, rounds: int, total: int, workers: int) -> None:
    """Measures one tier and prints a line for each size."""
    found = [it for it in find_installations() if (it.timescaledb is not None) == (tier == "timescale")]
    if not found:
        print(f"{tier}: no such PostgreSQL on this machine")
        return
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), found[0].bin_dir) as postgres:
            settings = Settings(database_url=postgres.dsn)
            await migrate(settings, postgres.dsn)
            print(f"\n{found[0]}, tier {tier}, {workers} worker(s), {CONNECTIONS} connections, {rounds} rounds")
            print(f"{'events/request':>14} {'events/s':>9} {'requests/s':>10} {'of COPY':>8} {'COPY rows/s':>11}", end="")
            print(f" {'p50 ms':>7} {'p95 ms':>7} {'p99 ms':>7} {'server MiB':>10} {'PostgreSQL MiB':>14}")
            for size in SIZES:
                count = total if size > 1 else total // 10
                results = [await measure(settings, postgres, size, count, workers) for _ in range(rounds)]
                middle = {name: statistics.median(getattr(r, name) for r in results) for name in (*Result.__struct_fields__, "ratio")}
                print(f"{size:>14} {middle['rate']:>9.0f} {middle['rate'] / size:>10.0f} {middle['ratio']:>8.0%}", end="")
                print(f" {middle['copy_rate']:>11.0f} {middle['p50']:>7.1f} {middle['p95']:>7.1f} {middle['p99']:>7.1f}", end="")
                print(f" {middle['server']:>10.0f} {middle['postgres']:>14.0f}", flush=True)


def main() -> None:
    """Reads the options and measures both tiers."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures the server against raw COPY, side by side.")
    parser.add_argument("--tier", choices=TIERS, help="one tier (both)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=200_000, help="events of a round (a tenth with one a request)")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}")
    for tier in TIERS if options.tier is None else (options.tier,):
        asyncio.run(bench(tier, options.rounds, options.events, options.workers), debug=False)


if __name__ == "__main__":
    main()
