"""What the database says of a key or a login, at most a second old: one that was revoked ends everywhere within it."""

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

SECONDS = 1.0
_MOST = 10_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """A cache in front of a look-up. The second begins before the look-up, not after its answer."""

    def __init__(self, look_up: Callable[[K], Awaitable[V]]) -> None:
        self._look_up = look_up
        self._found: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def knows(self, name: K) -> bool:
        """Whether `find` answers without a look-up."""
        cached = self._found.get(name)
        return cached is not None and time.monotonic() - cached[0] < SECONDS

    async def find(self, name: K) -> V:
        """The answer, looked up unless it was within the last second."""
        now = time.monotonic()
        cached = self._found.get(name)
        if cached is not None and now - cached[0] < SECONDS:
            return cached[1]
        value = await self._look_up(name)
        self._found[name] = (now, value)
        self._found.move_to_end(name)
        if len(self._found) > _MOST:
            self._found.popitem(last=False)
        return value
