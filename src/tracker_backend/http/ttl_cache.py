"""A cache with a time to live of one second, for keys, logins and projects: a revoked one ends everywhere within it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

SECONDS = 1.0
_MOST_ENTRIES = 10_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """A cache in front of a look-up. The second begins before the look-up, not after its answer. Calls made meanwhile
    wait for the same answer, so that a busy key costs one look-up a second and process.
    """

    def __init__(self, look_up: Callable[[K], Awaitable[V]]) -> None:
        self._look_up = look_up
        self._entries: OrderedDict[K, tuple[float, asyncio.Future[V]]] = OrderedDict()

    def peek(self, name: K) -> V | None:
        """The answer if it is in the cache, without waiting; None if not."""
        cached = self._entries.get(name)
        if cached is None or time.monotonic() - cached[0] >= SECONDS or not _has_result(cached[1]):
            return None
        return cached[1].result()

    async def get(self, name: K) -> V:
        """The answer, looked up unless the cache has it."""
        now = time.monotonic()
        cached = self._entries.get(name)
        if cached is None or now - cached[0] >= SECONDS:
            cached = (now, asyncio.ensure_future(self._look_up(name)))
            cached[1].add_done_callback(_retrieve_error)
            self._entries[name] = cached
            self._entries.move_to_end(name)
            if len(self._entries) > _MOST_ENTRIES:
                self._entries.popitem(last=False)
        answer = cached[1]
        if _has_result(answer):
            return answer.result()
        try:
            return await asyncio.shield(answer)
        except BaseException:
            if answer.done() and self._entries.get(name) is cached:
                del self._entries[name]  # the next call looks up again
            raise

    async def get_fresh(self, name: K) -> V:
        """The answer, looked up now."""
        self._entries.pop(name, None)
        return await self.get(name)


def _has_result(answer: asyncio.Future[V]) -> bool:
    return answer.done() and not answer.cancelled() and answer.exception() is None


def _retrieve_error(answer: asyncio.Future[V]) -> None:
    """Keeps asyncio from warning of an error when no call waits for it any more."""
    if not answer.cancelled():
        answer.exception()
