"""What the database says of a key or a login, at most a second old: one that was revoked ends everywhere within it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

SECONDS = 1.0
_MOST = 10_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """A cache in front of a look-up. The second begins before the look-up, not after its answer. Who asks meanwhile
    waits for the same answer: a busy key costs one look-up a second and process.
    """

    def __init__(self, look_up: Callable[[K], Awaitable[V]]) -> None:
        self._look_up = look_up
        self._found: OrderedDict[K, tuple[float, asyncio.Future[V]]] = OrderedDict()

    def knows(self, name: K) -> bool:
        """Whether `find` answers without a look-up."""
        cached = self._found.get(name)
        return cached is not None and time.monotonic() - cached[0] < SECONDS

    def recall(self, name: K) -> V | None:
        """The answer, if it was given within the last second: what `find` gives, for calls that should not wait."""
        cached = self._found.get(name)
        if cached is None or time.monotonic() - cached[0] >= SECONDS or not _is_given(cached[1]):
            return None
        return cached[1].result()

    async def find(self, name: K) -> V:
        """The answer, looked up unless it was within the last second."""
        now = time.monotonic()
        cached = self._found.get(name)
        if cached is None or now - cached[0] >= SECONDS:
            cached = (now, asyncio.ensure_future(self._look_up(name)))
            cached[1].add_done_callback(_see)
            self._found[name] = cached
            self._found.move_to_end(name)
            if len(self._found) > _MOST:
                self._found.popitem(last=False)
        answer = cached[1]
        if _is_given(answer):
            return answer.result()
        try:
            return await asyncio.shield(answer)
        except BaseException:
            if answer.done() and self._found.get(name) is cached:
                del self._found[name]  # the next one asks again
            raise

    async def find_now(self, name: K) -> V:
        """The answer, looked up now."""
        self._found.pop(name, None)
        return await self.find(name)


def _is_given(answer: asyncio.Future[V]) -> bool:
    return answer.done() and not answer.cancelled() and answer.exception() is None


def _see(answer: asyncio.Future[V]) -> None:
    """An error that nobody waits for any more is not worth a warning."""
    if not answer.cancelled():
        answer.exception()
