"""Work that is killed at each of its steps."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tracker_backend.storage.database import Database


async def cut_off_everywhere(
    database: Database, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Awaitable[object]], step: int = 1
) -> int:
    """Runs it anew until it ends, cut off before it takes another connection than the first n of the pool; n begins
    with 0 and grows by a step each time. Returns the n with which it ended.
    """
    pool = type(database.maintained.pool)
    acquire, allowed, calls = pool.acquire, 0, 0

    def killed(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > allowed:
            raise ConnectionResetError
        return acquire(*arguments, **options)

    while True:
        calls = 0
        with monkeypatch.context() as patch:
            patch.setattr(pool, "acquire", killed)
            try:
                await work()
            except ConnectionResetError:
                allowed += step
            else:
                return allowed
