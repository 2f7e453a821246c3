"""A bounded token bucket: so many requests a minute for each name, in memory of this process."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from tracker_backend.errors import LimitExceeded

_NAMES = 100_000  # buckets kept; the one unused for longest goes first, and it is full by then or nearly


class TokenBucket:
    """Lets `per_minute` requests pass each minute and name, at once or spread; 0 lets all pass."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._capacity = per_minute
        self._clock = clock
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def take(self, name: object, count: int = 1) -> None:
        """Takes a token, or only looks with 0; LimitExceeded with `Retry-After` when there is none."""
        if not self._capacity:
            return
        now = self._clock()
        tokens, since = self._buckets.pop(name, (float(self._capacity), now))
        tokens = min(self._capacity, tokens + (now - since) * self._capacity / 60)
        if tokens < 1:
            self._buckets[name] = (tokens, now)
            wait = math.ceil((1 - tokens) * 60 / self._capacity)
            raise LimitExceeded(
                f"more than {self._capacity} requests a minute: wait {wait} s.",
                headers={
                    "Retry-After": str(wait),
                    "RateLimit-Limit": str(self._capacity),
                    "RateLimit-Remaining": "0",
                    "RateLimit-Reset": str(wait),
                },
            )
        self._buckets[name] = (tokens - count, now)
        if len(self._buckets) > _NAMES:
            self._buckets.popitem(last=False)
