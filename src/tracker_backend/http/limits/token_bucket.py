"""Bounded token buckets: so many requests a minute for each name, in memory of this process and, with Redis, in all."""

import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable
from typing import Literal

from msgspec import Struct

from tracker_backend.errors import LimitExceeded
from tracker_backend.http.limits.redis_limits import SharedLimits

_NAMES = 100_000  # buckets kept; the one unused for longest goes first, and it is full by then or nearly
MINUTE = 60.0
What = Literal["keyless", "lookup", "attempt", "key", "spectra", "project"]


class Asked(Struct, frozen=True):
    """A request's claim: `name` of what is counted, and how many of it a minute pass, at once or spread; 0 is all."""

    what: What
    name: Hashable
    per_minute: int


class TokenBucket:
    """Buckets of one kind. Each is kept as the time when it will be full again, so that a limit that was changed finds
    it as full as before.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, name: Hashable, per_minute: int, count: int = 1) -> None:
        """Takes a token, or only looks with 0; LimitExceeded with `Retry-After` when there is none."""
        if not per_minute:
            return
        now = self._clock()
        full_at = max(self._full_at.get(name, now), now)
        step = MINUTE / per_minute
        missing = full_at + step - now - MINUTE
        if missing > step / 100:  # sums of steps are not exact
            raise exceeded(per_minute, missing)
        if count:
            self._full_at[name] = full_at + step * count
            self._full_at.move_to_end(name)
            if len(self._full_at) > _NAMES:
                self._full_at.popitem(last=False)


class Limits:
    """All limits of a server. With Redis each process still counts for itself, for the time when Redis is away."""

    def __init__(self, shared: SharedLimits | None = None) -> None:
        self._shared = shared
        self._buckets: defaultdict[str, TokenBucket] = defaultdict(TokenBucket)

    def look(self, asked: Asked) -> None:
        """LimitExceeded where nothing is left, as far as this process knows; takes nothing."""
        self._buckets[asked.what].take(asked.name, asked.per_minute, 0)

    async def take(self, *asked: Asked) -> None:
        """Takes a token of each; LimitExceeded when one has none."""
        if self._shared is not None:
            for one in asked:
                self.look(one)
            wait = await self._shared.take([((one.what, one.name), one.per_minute) for one in asked if one.per_minute])
            if wait is not None:
                raise exceeded(*wait)
        for one in asked:
            self._buckets[one.what].take(one.name, one.per_minute)


def exceeded(per_minute: int, seconds: float) -> LimitExceeded:
    """The refusal of a request that may come again after so many seconds."""
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
