"""What keys, limits and masking cost: the server with and without them, in turn, under the same load."""

import statistics

import asyncpg
import httpx

from bench import load, requests
from tests.processes import Running
from tracker_backend.queries import keys
from tracker_backend.settings import Settings
from tracker_backend.storage.database import migrate
from tracker_backend.storage.pool import open_small_pool

LIMIT = 0.15
"""Of the rate, at 50 and 100 events a request: issue 5."""


async def measure(dsn: str, rounds: int, total: int) -> None:
    """Prints a line for each number of events a request."""
    settings = Settings(database_url=dsn)
    await migrate(settings, dsn)
    pool = await open_small_pool(settings, dsn)
    key = await keys.public_key(pool, await keys.default_project(pool))
    await pool.close()
    print("events a request | with keys, limits and masking | without | cost   (events a second, median of the rounds)")
    for size in requests.SIZES:
        count = total if size > 1 else total // 10
        bare: list[float] = []
        full: list[float] = []
        for _ in range(rounds):
            bare.append(await _rate(dsn, size, count, None))
            full.append(await _rate(dsn, size, count, key))
        cost = statistics.median(1 - two / one for one, two in zip(bare, full, strict=True))
        told = "" if cost < LIMIT or size == 1 else f"  more than {LIMIT:.0%}"
        print(f"{size:>16} | {statistics.median(full):>29.0f} | {statistics.median(bare):>7.0f} | {cost:.1%}{told}")


async def _rate(dsn: str, size: int, total: int, key: str | None) -> float:
    await requests.empty(dsn)
    sent, warm_up = requests.bodies(size, total), requests.bodies(size, 10 * requests.CONNECTIONS * size)
    path = "/api/v1/track" if key is None else f"/api/v1/track?key={key}"
    limits = {"TRACKER_LIMIT_KEY": "10000000", "TRACKER_LIMIT_PROJECT": "10000000"}
    module = "bench.bare" if key is None else "tracker_backend"
    with Running(
        module=module, DATABASE_URL=dsn, TRACKER_AUTH="required", TRACKER_LOG_LEVEL="warning", **limits
    ) as server:
        url = httpx.URL(server.url)
        calls = [load.request(path, url.netloc.decode(), body) for body in warm_up + sent]
        await load.run(url.host, url.port or 80, calls[: len(warm_up)], requests.CONNECTIONS)
        found = await load.run(url.host, url.port or 80, calls[len(warm_up) :], requests.CONNECTIONS)
    connection = await asyncpg.connect(dsn)
    stored = await connection.fetchval("select count(*) from tracker.events")
    await connection.close()
    expected = total + 10 * requests.CONNECTIONS * size
    if found.refused or stored != expected:
        raise SystemExit(f"{found.refused} requests were refused, {stored} of {expected} events are stored")
    return total / found.seconds
