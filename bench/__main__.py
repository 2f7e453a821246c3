"""`make bench`: raw COPY, then the server under 1, 50 and 100 events a request, on one database in turn. Recordings,
keys and masking, what others wait beside hostile requests, the tag in a browser.

The machine is shared and noisy: believe the ratios. Each round measures COPY and the server one after the other, and
the medians of the rounds are printed.
"""

import argparse
import asyncio
import platform
import statistics
import tempfile
from pathlib import Path

import msgspec
import psutil

from bench import cost, hostile, keys, recordings, requests, tag
from bench.baseline import copy_rows, rows_of
from bench.requests import CONNECTIONS, SIZES
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.embedded import EmbeddedPostgres, find_installations

MIB = 1024 * 1024
TIERS = ("plain", "timescale")
SUBJECTS = ("events", "recordings", "privacy", "hostile", "tag")


class Result(msgspec.Struct, frozen=True):
    """One measurement: rates in events a second, latencies in milliseconds, memory in MiB, the server's processor time
    in microseconds an event.
    """

    rate: float
    requests: float
    copy_rate: float
    p50: float
    p95: float
    p99: float
    cpu: float
    server: float
    postgres: float

    @property
    def ratio(self) -> float:
        """Of raw COPY."""
        return self.rate / self.copy_rate


async def measure(settings: Settings, postgres: EmbeddedPostgres, size: int, total: int, workers: int) -> Result:
    """One round: COPY of the rows, then the same events through the server, into emptied tables."""
    sent = requests.bodies(size, total)
    first = requests.warm_up(size)
    postmaster = psutil.Process(int((postgres.folder / "data" / "postmaster.pid").read_text("utf-8").split()[0]))
    await requests.empty(postgres.dsn)
    database = await Database.open(settings, postgres.dsn)
    rows = rows_of(sent, database, settings)
    await database.close()
    copy_rate = len(rows) / await copy_rows(settings, postgres.dsn, rows)
    del rows
    stored = len(first) * size + total
    async with requests.loaded(postgres.dsn, first, sent, stored, TRACKER_WORKERS=str(workers)) as loaded:
        used = memory(loaded.process), memory(postmaster)
    found = loaded.load
    cuts = statistics.quantiles(found.latencies, n=100)
    return Result(
        rate=total / found.seconds,
        requests=len(sent) / found.seconds,
        copy_rate=copy_rate,
        p50=cuts[49] * 1000,
        p95=cuts[94] * 1000,
        p99=cuts[98] * 1000,
        server=used[0] / MIB,
        postgres=used[1] / MIB,
        cpu=loaded.cpu / total * 1e6,
    )


def memory(process: psutil.Process) -> int:
    """Bytes that a process and its children hold, shared pages counted once (PSS)."""
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_full_info().pss for member in family)


def bench(tier: str, options: argparse.Namespace) -> None:
    """Measures one tier on a PostgreSQL of its own."""
    found = [it for it in find_installations() if (it.timescaledb is not None) == (tier == "timescale")]
    if not found:
        print(f"{tier}: no such PostgreSQL on this machine")
        return
    with tempfile.TemporaryDirectory(prefix="tracker-bench-") as folder:
        Path(folder).chmod(0o755)
        with EmbeddedPostgres(Path(folder), found[0].bin_dir) as postgres:
            print(f"\n{found[0]}, tier {tier}, {options.rounds} rounds")
            if options.only in (None, "events"):
                print(f"{options.workers} worker(s), {CONNECTIONS} connections")
                asyncio.run(measure_sizes(postgres, options.rounds, options.events, options.workers))
            if options.only in (None, "recordings"):
                asyncio.run(recordings.measure(postgres.dsn, options.rounds, options.sessions))
            if options.only in (None, "privacy"):
                asyncio.run(cost.measure(postgres.dsn, options.rounds, options.events, options.sessions))
                asyncio.run(keys.measure(postgres.dsn, options.rounds))
            if options.only in (None, "hostile"):
                asyncio.run(measure_hostile(postgres, options.hostile))
            # A browser sees nothing of the tier.
            if options.only == "tag" or (options.only is None and tier == TIERS[0]):
                tag.measure(postgres.dsn, options.rounds)


async def measure_hostile(postgres: EmbeddedPostgres, only: str) -> None:
    """Prints a line for each hostile request."""
    await migrate(Settings(database_url=postgres.dsn), postgres.dsn)
    await hostile.measure(postgres.dsn, only)


async def measure_sizes(postgres: EmbeddedPostgres, rounds: int, total: int, workers: int) -> None:
    """Prints a line for each number of events a request."""
    settings = Settings(database_url=postgres.dsn)
    await migrate(settings, postgres.dsn)
    names = ("rate", "requests", "ratio", "copy_rate", "p50", "p95", "p99", "cpu", "server", "postgres")
    print("events a request | " + " | ".join(names) + "   (rates a second, ratio to COPY, ms, µs an event, MiB)")
    for size in SIZES:
        count = total if size > 1 else total // 10
        results = [await measure(settings, postgres, size, count, workers) for _ in range(rounds)]
        middle = {name: statistics.median(getattr(found, name) for found in results) for name in names}
        print(f"{size:>16} | " + " | ".join(_shown(middle[name]).rjust(len(name)) for name in names), flush=True)


def _shown(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def main() -> None:
    """Reads the options and measures both tiers."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures the server against raw COPY, side by side.")
    parser.add_argument("--tier", choices=TIERS, help="one tier (both)")
    parser.add_argument("--only", choices=SUBJECTS, help="one subject (both)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--events", type=int, default=200_000, help="events of a round (a tenth with one a request)")
    parser.add_argument("--sessions", type=int, default=200, help="recordings of a round")
    parser.add_argument("--hostile", default="", help="hostile requests whose names contain this (all)")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    print(f"{platform.machine()}, {psutil.cpu_count()} cores, {system}")
    for tier in TIERS if options.tier is None else (options.tier,):
        bench(tier, options)


if __name__ == "__main__":
    main()
