"""Limits of several server processes together: what passes is counted in a Redis of the test's own."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conftest import running
from tests.http.api import API, local
from tests.redis_server import PROGRAM, RedisServer
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.errors import LimitExceeded
from tracker_backend.http.limits import redis_limits
from tracker_backend.http.limits.redis_limits import SharedLimits
from tracker_backend.http.limits.token_bucket import Claim, RateLimits
from tracker_backend.http.services import Services
from tracker_backend.live.transports import open_redis
from tracker_backend.settings import Settings

pytestmark = [pytest.mark.tiers("plain"), pytest.mark.skipif(PROGRAM is None, reason="no redis-server on this machine")]
SECRET = b"installation" * 3


class Processes:
    """Two processes of one installation, and the Redis between them."""

    def __init__(self, redis: RedisServer) -> None:
        self.redis = redis
        self.shared = [SharedLimits(redis.url, SECRET) for _ in range(2)]
        self.limits = [RateLimits(shared) for shared in self.shared]

    async def stored(self) -> dict[str, int]:
        """Milliseconds until each name that Redis knows is forgotten."""
        async with open_redis(self.redis.url) as client:
            names: list[bytes] = await client.keys("*")
            return {name.decode(): await client.pttl(name) for name in names}


@pytest.fixture
async def processes(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Processes]:
    # A busy machine may take its time: nothing here is about how long Redis is waited for.
    monkeypatch.setattr(redis_limits, "_ANSWER_SECONDS", 30.0)
    monkeypatch.setattr(redis_limits, "_LEASE_SECONDS", 3600.0)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tracker-redis-"))
        redis = RedisServer(Path(folder))
        stack.callback(redis.kill)
        await redis.start()
        made = Processes(redis)
        for shared in made.shared:
            stack.push_async_callback(shared.stop)
        yield made


def key(per_minute: int, name: str = "k") -> Claim:
    return Claim("key", (name, "203.0.113.9"), per_minute)


async def passes(limits: RateLimits, *asked: Claim, most: int = 2000) -> int:
    """How many requests pass now, one after the other."""
    for passed in range(most):
        try:
            await limits.take(*asked)
        except LimitExceeded:
            return passed
    return most


async def is_passed(limits: RateLimits, asked: Claim) -> bool:
    try:
        await limits.take(asked)
    except LimitExceeded:
        return False
    return True


async def test_two_processes_pass_together_what_one_would(processes: Processes) -> None:
    one, two = processes.limits
    assert await passes(one, key(7), most=3) == 3
    assert await passes(two, key(7)) == 4
    assert await passes(one, key(7)) == 0
    with pytest.raises(LimitExceeded) as refused:
        await two.take(key(7))
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 9
    assert refused.value.headers["RateLimit-Limit"] == "7"
    assert await passes(one, key(7, "another")) == 7


async def test_many_at_once_never_pass_more_than_the_limit(processes: Processes) -> None:
    # Of 1 a minute nothing comes back while the test runs; of 1000 the shared count may be short by what is lent.
    for per_minute in (1, 9):
        asked = key(per_minute, f"name {per_minute}")
        passed = await asyncio.gather(*(is_passed(limits, asked) for _ in range(100) for limits in processes.limits))
        assert sum(passed) == per_minute


async def test_most_requests_wait_for_no_answer_of_redis(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    one, shared = processes.limits[0], processes.shared[0]
    asked: list[int] = []
    script: Any = vars(shared)["_script"]

    async def counted(**arguments: Any) -> Any:
        asked.append(len(arguments["keys"]))
        return await script(**arguments)

    monkeypatch.setattr(shared, "_script", counted)
    for _ in range(1000):
        await one.take(key(6000), Claim("project", 1, 600_000))
    assert sum(asked) < 40, "1000 requests of two limits"
    assert max(asked) == 2, "several limits are asked for at once"


def end_leases(shared: SharedLimits) -> None:
    """As if the time of all that a process was lent were over."""
    for lease in vars(shared)["_leases"].values():
        lease.until = 0.0


async def test_what_a_process_was_lent_and_did_not_use_it_gives_back(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_limits, "_SHARE", 1)
    one, two = processes.limits
    assert await passes(one, key(4), most=2) == 2  # it was lent one, then two
    end_leases(processes.shared[0])
    assert await passes(one, key(4), most=1) == 1
    assert await passes(two, key(4)) == 1


async def test_what_comes_back_after_the_bucket_was_full_has_overflowed(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_limits, "_SHARE", 1)
    one, two = processes.limits
    assert await passes(one, key(4), most=2) == 2
    async with open_redis(processes.redis.url) as client:
        await client.flushall()  # as after a minute
    assert await passes(two, key(4), most=3) == 3
    end_leases(processes.shared[0])
    assert await passes(one, key(4)) == 1
    assert await passes(two, key(4)) == 0


async def test_a_lowered_limit_holds_at_once_in_all_processes(processes: Processes) -> None:
    one, two = processes.limits
    assert await passes(one, key(8), most=4) == 4
    assert await passes(two, key(2)) == 1, "half of it was used, and half of the new one is"
    assert await passes(one, key(2)) == 0


async def test_redis_learns_no_key_and_no_address_and_forgets_within_a_minute(processes: Processes) -> None:
    await passes(processes.limits[0], key(3, "tb_r_secret"), Claim("project", 1, 60))
    stored = await processes.stored()
    assert len(stored) == 2
    for name, milliseconds in stored.items():
        assert name.startswith("tracker:limit:")
        assert "tb_r" not in name
        assert "203.0" not in name
        assert 0 <= milliseconds <= 60_000


async def test_a_redis_that_goes_costs_no_request_and_comes_back_unnoticed(
    processes: Processes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger=redis_limits.__name__)
    monkeypatch.setattr(redis_limits, "_RETRY_SECONDS", 0.01)
    one, two = processes.limits
    assert await passes(one, key(5), most=3) == 3
    processes.redis.kill()
    assert await passes(one, key(5)) == 2, "what this process has counted itself still counts"
    assert await passes(two, key(5)) == 5, "each process for itself"
    assert [record.message.partition(":")[0] for record in caplog.records] == ["Redis is unreachable"] * 2
    await processes.redis.start()
    for shared in processes.shared:
        await vars(shared)["_waiting"]
    assert [record.message.partition(":")[0] for record in caplog.records[2:]] == ["Redis is back"] * 2
    assert await passes(one, key(1, "new"), most=1) == 1
    assert await passes(two, key(1, "new")) == 0


async def test_a_redis_that_hangs_fails_no_request(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_limits, "_ANSWER_SECONDS", 0.05)
    monkeypatch.setattr(redis_limits, "_RETRY_SECONDS", 0.01)
    shared = SharedLimits(processes.redis.url, SECRET)
    limits = RateLimits(shared)
    processes.redis.pause()
    passed = await asyncio.gather(*(is_passed(limits, key(5)) for _ in range(9)))
    assert sum(passed) == 5
    processes.redis.resume()
    await vars(shared)["_waiting"]
    assert await passes(processes.limits[0], key(1), most=1) == 1
    assert await passes(limits, key(1)) == 0
    await shared.stop()


async def test_two_servers_have_one_limit_and_go_on_without_redis(
    settings: Settings, dsn: str, processes: Processes
) -> None:
    limited = msgspec.structs.replace(settings, limit_key=5, limit_keyless=5, redis_url=processes.redis.url)
    apps = [create_app(limited, dsn) for _ in range(2)]
    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(local(await stack.enter_async_context(running(app)))) for app in apps
        ]
        services: Services = apps[0].state["services"]

        async def statuses(number: int, count: int, headers: dict[str, str]) -> list[int]:
            return [(await clients[number].get(f"{API}/sessions", headers=headers)).status_code for _ in range(count)]

        one, two = [{"x-api-key": await keys.create_key(services.pool, 1, "read")} for _ in range(2)]
        assert await statuses(0, 3, one) == [200] * 3
        assert await statuses(1, 3, one) == [200, 200, 429]
        assert await statuses(0, 1, one) == [429]
        wrong = {"x-api-key": "tb_r_guessed"}
        assert (await statuses(0, 3, wrong), await statuses(1, 3, wrong)) == ([401] * 3, [401, 401, 429])
        assert await statuses(0, 1, {"x-api-key": await keys.create_key(services.pool, 1, "read")}) == [200]
        processes.redis.kill()
        assert await statuses(0, 6, two) == [200] * 5 + [429]
        assert await statuses(1, 6, two) == [200] * 5 + [429]
