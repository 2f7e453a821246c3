"""What keys, limits and masking cost: the server with and without them, in turn, under the same load.

The rate is that of the whole machine, which the database and the load share with the server; the processor time is the
server's own.
"""

import statistics
from collections.abc import Sequence

from msgspec import Struct

from bench import recordings, requests
from tracker_backend.accounts import keys
from tracker_backend.settings import Settings
from tracker_backend.storage.database import migrate
from tracker_backend.storage.pool import open_small_pool

LIMIT = 0.15
"""Of the rate, at 50 and 100 events a request: issue 5."""
_WARM_UP = 8  # recordings
_DIFFERENT = 20  # recordings; of one alone all texts would be remembered


class Load(Struct, frozen=True):
    """What is sent: bodies, the rows that they become in a table, and how many units (events, MB) they are."""

    path: str
    first: list[bytes]
    sent: list[bytes]
    table: str
    rows: int
    units: float
    connections: int


class Cost(Struct, frozen=True):
    """One measurement: units a second, and seconds of the server's processor time for one."""

    rate: float
    cpu: float


async def measure(dsn: str, rounds: int, total: int, sessions: int) -> None:
    """Prints a line for each number of events a request, and one for recordings."""
    settings = Settings(database_url=dsn)
    await migrate(settings, dsn)
    pool = await open_small_pool(settings, dsn)
    key = await keys.public_key(pool, await keys.default_project(pool))
    await pool.close()
    print("with keys, limits and masking, and without: rate, and the server's processor time (medians of the rounds)")
    print("         load | events/s |  without |   cost | µs an event |  without |   cost")
    for size in requests.SIZES:
        bare, full = await _compare(dsn, key, rounds, _events(size, total if size > 1 else total // 10))
        told = f"  more than {LIMIT:.0%}" if size > 1 and _lost(bare, full) >= LIMIT else ""
        print(_line(f"{size} a request", bare, full, 0, 1e6) + told, flush=True)
    print("         load |     MB/s |  without |   cost |     ms a MB |  without |   cost")
    bare, full = await _compare(dsn, key, rounds, _recordings(sessions))
    print(_line("recordings", bare, full, 1, 1e3), flush=True)


def _events(size: int, total: int) -> Load:
    first, sent = requests.warm_up(size), requests.bodies(size, total)
    rows = len(first) * size + total
    return Load("/api/v1/track", first, sent, "events", rows, total, requests.CONNECTIONS)


def _recordings(sessions: int) -> Load:
    first, sent = recordings.short_ones(_WARM_UP), recordings.short_ones(sessions, _DIFFERENT)
    size = sum(map(len, sent)) / recordings.MB
    rows = len(first) + len(sent)
    return Load("/api/v1/track/recording", first, sent, "recordings", rows, size, recordings.CONNECTIONS)


async def _compare(dsn: str, key: str, rounds: int, load: Load) -> tuple[list[Cost], list[Cost]]:
    """The server without them and with them, in turn."""
    bare: list[Cost] = []
    full: list[Cost] = []
    for _ in range(rounds):
        bare.append(await _cost(dsn, load, load.path, "bench.bare"))
        full.append(await _cost(dsn, load, f"{load.path}?key={key}", "tracker_backend"))
    return bare, full


async def _cost(dsn: str, load: Load, path: str, module: str) -> Cost:
    async with requests.loaded(
        dsn,
        load.first,
        load.sent,
        load.rows,
        path=path,
        table=load.table,
        connections=load.connections,
        module=module,
        TRACKER_AUTH="required",
        TRACKER_LIMIT_KEY="10000000",
        TRACKER_LIMIT_PROJECT="10000000",
    ) as found:
        return Cost(load.units / found.load.seconds, found.cpu / load.units)


def _lost(bare: Sequence[Cost], full: Sequence[Cost]) -> float:
    """The part of the rate that is lost; the median of the rounds."""
    return statistics.median(1 - two.rate / one.rate for one, two in zip(bare, full, strict=True))


def _line(name: str, bare: Sequence[Cost], full: Sequence[Cost], digits: int, unit: float) -> str:
    rates = [f"{statistics.median(each.rate for each in costs):>8.{digits}f}" for costs in (full, bare)]
    times = [f"{statistics.median(each.cpu for each in costs) * unit:.1f}" for costs in (full, bare)]
    more = statistics.median(two.cpu / one.cpu - 1 for one, two in zip(bare, full, strict=True))
    lost = _lost(bare, full)
    return f"{name:>13} | {rates[0]} | {rates[1]} | {lost:>6.1%} | {times[0]:>11} | {times[1]:>8} | {more:+.1%}"
