"""Token buckets: so many requests a minute for each name, in this process or, with Redis, in all of them together."""

import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable

from msgspec import Struct

from tracker_backend.errors import LimitExceeded
from tracker_backend.http.limits.redis_limits import SharedLimits

_MOST_BUCKETS = 100_000  # the least recently used one is removed first; it is full by then, or nearly
MINUTE = 60.0


class Claim(Struct, frozen=True):
    """A claim on one token of a bucket."""

    kind: str
    """What is counted: `key`, `project`, `attempt`, …"""
    name: Hashable
    """Which one of its kind."""
    per_minute: int
    """The size of the bucket, which is refilled evenly in a minute; 0: no limit."""


class TokenBucket:
    """Buckets of one kind. Each is kept as the time when it will be full again: a limit that changes leaves the share
    of tokens in it unchanged.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, name: Hashable, per_minute: int, count: int = 1) -> None:
        """Takes a token, or with `count=0` checks that there is one; LimitExceeded with `Retry-After` if not."""
        if not per_minute:
            return
        now = self._clock()
        full_at = max(self._full_at.get(name, now), now)
        step = MINUTE / per_minute
        missing = full_at + step - now - MINUTE
        if missing > step / 100:  # sums of steps are not exact
            raise limit_exceeded(per_minute, missing)
        if count:
            self._full_at[name] = full_at + step * count
            self._full_at.move_to_end(name)
            if len(self._full_at) > _MOST_BUCKETS:
                self._full_at.popitem(last=False)


class RateLimits:
    """All buckets of a server. With Redis each process still counts its own calls, for when Redis is unreachable."""

    def __init__(self, shared: SharedLimits | None = None) -> None:
        self._shared = shared
        self._buckets: defaultdict[str, TokenBucket] = defaultdict(TokenBucket)

    def check(self, claim: Claim) -> None:
        """Raises LimitExceeded where this process knows of no token left; takes none."""
        self._buckets[claim.kind].take(claim.name, claim.per_minute, 0)

    async def take(self, *claims: Claim) -> None:
        """Takes a token for each claim; LimitExceeded when one bucket has none."""
        if self._shared is not None:
            for claim in claims:
                self.check(claim)
            wait = await self._shared.take([((it.kind, it.name), it.per_minute) for it in claims if it.per_minute])
            if wait is not None:
                raise limit_exceeded(*wait)
        for claim in claims:
            self._buckets[claim.kind].take(claim.name, claim.per_minute)


def limit_exceeded(per_minute: int, seconds: float) -> LimitExceeded:
    """The error for a request that may be sent again after so many seconds."""
    wait = str(max(1, math.ceil(seconds)))
    return LimitExceeded(
        f"more than {per_minute} requests a minute: wait {wait} s.",
        headers={
            "Retry-After": wait,
            "RateLimit-Limit": str(per_minute),
            "RateLimit-Remaining": "0",
            "RateLimit-Reset": wait,
        },
    )
