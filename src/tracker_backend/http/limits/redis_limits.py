"""Rate limits of all server processes together, counted in Redis.

Most requests wait for no round trip: a process takes some tokens in advance (a lease), more the faster it used the last
ones. Unused tokens go back with its next request after a second. All processes together let through what one would,
and what is refilled within that second.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from contextlib import suppress
from hashlib import blake2b
from typing import Any

from msgspec import Struct
from redis.exceptions import RedisError

from tracker_backend.live.transports import open_redis

_ANSWER_SECONDS = 0.5  # the longest that a request waits for Redis
_LEASE_SECONDS = 1.0
_RETRY_SECONDS = 1.0
_SHARE = 20  # a process takes at most a twentieth of a limit in advance
_MOST_LEASES = 100_000
_PROBE = "probe"
_log = logging.getLogger(__name__)

# A bucket is the time when it will be full again, and the time since when it has not been: tokens that a process gives
# back count only if it was not full meanwhile, for then they have overflowed. Times are µs of Redis.
_SCRIPT = """
local clock = redis.call('TIME')
local now, minute = clock[1] * 1000000 + clock[2], 60000000
local answers = {}
for i, key in ipairs(KEYS) do
    local step, wanted = minute / ARGV[4 * i - 3], tonumber(ARGV[4 * i - 2])
    local back, lent_since = tonumber(ARGV[4 * i - 1]), ARGV[4 * i]
    local stored = redis.call('HMGET', key, 'full_at', 'since')
    local full_at, since = tonumber(stored[1] or 0), stored[2]
    if back > 0 and since == lent_since then
        full_at = full_at - back * step
    end
    if full_at <= now then
        full_at, since = now, string.format('%.0f', now)
    end
    local granted = math.max(0, math.min(wanted, math.floor((now + minute - full_at) / step + 0.01)))
    full_at = full_at + granted * step
    redis.call('HSET', key, 'full_at', string.format('%.3f', full_at), 'since', since)
    redis.call('PEXPIRE', key, math.max(1, math.ceil((full_at - now) / 1000)))
    answers[i] = {granted, math.ceil(full_at + step - now - minute), since}
end
return answers
"""


class _Lease(Struct):
    """The tokens of a bucket that a process has taken in advance."""

    key: str
    left: int = 0
    until: float = 0.0
    size: int = 0
    since: bytes = b""
    refused_until: float = 0.0


class SharedLimits:
    """`take` for each request. It lets all through while Redis is unreachable: each process also counts by itself."""

    def __init__(self, url: str, secret: bytes) -> None:
        self._redis = open_redis(url, _ANSWER_SECONDS)
        self._script: Any = self._redis.register_script(_SCRIPT)
        self._secret = secret
        self._leases: OrderedDict[Hashable, _Lease] = OrderedDict()
        self._wanted: dict[Hashable, tuple[int, int]] = {}
        self._answered: asyncio.Future[None] | None = None
        self._requesting: asyncio.Task[None] | None = None
        self._waiting: asyncio.Task[None] | None = None
        self._is_unreachable = False

    async def take(self, claims: Sequence[tuple[Hashable, int]]) -> tuple[int, float] | None:
        """Takes a token of each bucket (name, requests a minute). None, or the exceeded limit and the wait in s."""
        while not self._is_unreachable:
            now = time.monotonic()
            missing: list[tuple[Hashable, int]] = []
            for name, per_minute in claims:
                lease = self._leases.get(name)
                if lease is None or lease.left < 1 or lease.until <= now:
                    if lease is not None and lease.refused_until > now:
                        return per_minute, lease.refused_until - now
                    missing.append((name, per_minute))
            if not missing:
                for name, _ in claims:
                    self._leases[name].left -= 1
                return None
            await self._request_tokens(missing)
        return None

    async def stop(self) -> None:
        """Ends the tasks and the connection."""
        self._is_unreachable = True
        for task in (self._requesting, self._waiting):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self._redis.aclose()

    async def _request_tokens(self, missing: Sequence[tuple[Hashable, int]]) -> None:
        """Gets tokens from Redis, in one round trip with the other requests that wait."""
        for name, per_minute in missing:
            self._wanted[name] = (per_minute, self._wanted.get(name, (0, 0))[1] + 1)
        if self._answered is None:
            self._answered = asyncio.get_running_loop().create_future()
        answered = self._answered
        if self._requesting is None or self._requesting.done():
            self._requesting = asyncio.create_task(self._request_loop(), name="limits-request")
        await asyncio.shield(answered)

    async def _request_loop(self) -> None:
        while self._wanted and self._answered is not None:
            wanted, self._wanted = self._wanted, {}
            answered, self._answered = self._answered, None
            try:
                await self._lend(wanted)
            except Exception as error:  # no error of Redis fails a request
                self._fall_back(error)
            finally:
                answered.set_result(None)

    async def _lend(self, wanted: dict[Hashable, tuple[int, int]]) -> None:
        now = time.monotonic()
        leases: list[_Lease] = []
        arguments: list[str | int | bytes] = []
        for name, (per_minute, waiting) in wanted.items():
            lease = self._lease(name)
            lease.size = min(max(1, per_minute // _SHARE), lease.size * 2 if lease.until > now else 1)
            leases.append(lease)
            arguments += [per_minute, max(lease.size, waiting), lease.left, lease.since]
            lease.left = 0  # given back
        answers = await self._script(keys=[lease.key for lease in leases], args=arguments)
        now = time.monotonic()
        for lease, (granted, wait, since) in zip(leases, answers, strict=True):
            lease.left, lease.until, lease.since = granted, now + _LEASE_SECONDS, since
            lease.refused_until = 0.0 if granted else now + max(wait, 1) / 1e6

    def _lease(self, name: Hashable) -> _Lease:
        lease = self._leases.get(name)
        if lease is None:
            # A keyed hash: Redis holds no addresses and no keys.
            digest = blake2b(repr(name).encode(), key=self._secret[:64], digest_size=16)
            lease = self._leases[name] = _Lease(f"tracker:limit:{digest.hexdigest()}")
            if len(self._leases) > _MOST_LEASES:
                self._leases.popitem(last=False)
        else:
            self._leases.move_to_end(name)
        return lease

    def _fall_back(self, error: Exception) -> None:
        _log.warning("Redis is unreachable: until it is back each process applies the limits by itself: %s", error)
        self._is_unreachable = True
        self._waiting = asyncio.create_task(self._wait_for_redis(), name="limits-wait")

    async def _wait_for_redis(self) -> None:
        while self._is_unreachable:
            await asyncio.sleep(_RETRY_SECONDS)
            with suppress(RedisError, OSError):  # a write, because a replica answers a ping too
                await self._lend({_PROBE: (_SHARE, 1)})
                self._is_unreachable = False
        _log.info("Redis is back: the limits apply to all processes together")
