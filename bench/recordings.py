"""Recordings: how fast they are stored, how small they get, how soon a replay begins and ends."""

import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import msgspec

from bench import load, sample
from tests.processes import Running
from tracker_backend.recordings.compaction import pack_before
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database, migrate
from tracker_backend.storage.pool import Pool

CONNECTIONS = 8
MB = 1_000_000
LONG = 10 * MB
ENCODINGS = ("zstd", "gzip")
_REPEATS = 5
_LASTS_MS = 82_000  # the sample and a pause


class Sizes(msgspec.Struct, frozen=True):
    """What is stored of some sessions: rows, bytes of JSON, bytes of frames."""

    rows: int
    json: int
    frames: int


class Replay(msgspec.Struct, frozen=True):
    """Milliseconds until the first byte of the body and until the last, and the bytes that were sent."""

    first: float
    total: float
    size: int


def short_ones(sessions: int, different: int = 1) -> list[bytes]:
    """Requests: the sample for each session, or one of so many `different` ones, in batches of 5 s; all sessions run at
    once.
    """
    begin = _now_ms() - _LASTS_MS
    samples = [sample.batches(sample.events(seed), begin) for seed in range(different)]
    ids = [str(uuid4()) for _ in range(sessions)]
    rounds = max(map(len, samples))
    batches = [(samples[number % different], session) for number, session in enumerate(ids)]
    return [_body(session, each[at]) for at in range(rounds) for each, session in batches if at < len(each)]


def long_one(session: UUID) -> list[bytes]:
    """Requests of one session of 10 MB."""
    events = sample.events()
    count = -(-LONG // len(msgspec.json.encode(events)))
    begin = _now_ms() - count * _LASTS_MS
    parts = [sample.batches(sample.events(seed), begin + seed * _LASTS_MS) for seed in range(count)]
    return [_body(str(session), batch) for part in parts for batch in part]


def _body(session: str, events: Sequence[sample.Event]) -> bytes:
    return msgspec.json.encode({"session_id": session, "batch_id": str(uuid4()), "events": events})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def measure(dsn: str, rounds: int, sessions: int) -> None:
    """Prints what a database of its own does."""
    settings = Settings(database_url=dsn)
    await migrate(settings, dsn)
    database = await Database.open(settings, dsn)
    try:
        with Running(DATABASE_URL=dsn, TRACKER_LOG_LEVEL="warning") as server:
            url = httpx.URL(server.url)
            await _send(url, short_ones(CONNECTIONS))  # warm-up
            await _stored_and_packed(database, url, rounds, sessions)
            await _replayed(database, url)
    finally:
        await database.close()


async def _stored_and_packed(database: Database, url: httpx.URL, rounds: int, sessions: int) -> None:
    rates: list[float] = []
    pack_rates: list[float] = []
    before = after = Sizes(0, 0, 0)
    for _ in range(rounds):
        await database.pool.execute("truncate tracker.recordings")
        bodies = short_ones(sessions)
        seconds = await _send(url, bodies)
        before = await _sizes(database.pool)
        pack_seconds = await _pack(database)
        after = await _sizes(database.pool)
        rates.append(before.json / MB / seconds)
        pack_rates.append(before.json / MB / pack_seconds)
    print(
        f"recordings of 81 s in batches of 5 s, {sessions} at once, {before.json / MB:.1f} MB of JSON: "
        f"stored at {statistics.median(rates):.1f} MB/s, packed at {statistics.median(pack_rates):.1f} MB/s"
    )
    for name, sizes in (("as received", before), ("packed", after)):
        print(f"{name:>12} | {sizes.rows} rows | JSON : stored = {sizes.json / sizes.frames:.1f} : 1", flush=True)


async def _replayed(database: Database, url: httpx.URL) -> None:
    session = uuid4()
    await _send(url, long_one(session), connections=1)
    print("replay of 10 MB | encoding | first byte ms | total ms | MB sent")
    for state in ("as received", "packed"):
        if state == "packed":
            await _pack(database)
        for encoding in ENCODINGS:
            found = [await replay(url, session, encoding) for _ in range(_REPEATS)]
            first, total = (statistics.median(getattr(it, name) for it in found) for name in ("first", "total"))
            print(
                f"{state:>15} | {encoding:>8} | {first:>13.1f} | {total:>8.0f} | {found[0].size / MB:.2f}", flush=True
            )


async def replay(url: httpx.URL, session: UUID, encoding: str) -> Replay:
    """Reads a recording over a connection that is open, without decoding it."""
    path, headers = f"/api/v1/sessions/{session}/recording", {"accept-encoding": encoding}
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await client.get("/health")
        started = time.perf_counter()
        first, size = 0.0, 0
        async with client.stream("GET", path, headers=headers) as answer:
            if answer.headers.get("content-encoding") != encoding:
                raise SystemExit(f"the replay was answered {answer.status_code}, not as {encoding}")
            async for part in answer.aiter_raw():
                first = first or time.perf_counter() - started
                size += len(part)
        return Replay(first * 1000, (time.perf_counter() - started) * 1000, size)


async def _send(url: httpx.URL, bodies: Sequence[bytes], connections: int = CONNECTIONS) -> float:
    requests = [load.request("/api/v1/track/recording", url.netloc.decode(), body) for body in bodies]
    found = await load.run(url.host, url.port or 80, requests, connections)
    if found.refused:
        raise SystemExit(f"{found.refused} of {len(bodies)} recordings were refused")
    return found.seconds


async def _pack(database: Database) -> float:
    """Seconds to pack everything, as if all sessions had been silent for long."""
    started = time.perf_counter()
    await pack_before(database.maintained, datetime.now(UTC) + timedelta(days=1))
    return time.perf_counter() - started


async def _sizes(pool: Pool) -> Sizes:
    row = await pool.fetchrow(
        "select count(*), sum(inflated_size)::bigint, sum(octet_length(data))::bigint from tracker.recordings"
    )
    assert row is not None
    return Sizes(*row)
