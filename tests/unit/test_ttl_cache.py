"""The cache in front of the look-ups of keys and logins."""

import asyncio
from types import SimpleNamespace

import pytest

from tracker_backend.http import ttl_cache
from tracker_backend.http.ttl_cache import TtlCache


class Table:
    """Keys by name, each look-up answered when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self._begun = asyncio.Semaphore(0)
        self.answer = asyncio.Event()
        self.answer.set()
        self.error: Exception | None = None
        self.value = "valid"

    async def look_up(self, name: str) -> str:
        self.asked.append(name)
        self._begun.release()
        value = self.value
        await self.answer.wait()
        if self.error is not None:
            raise self.error
        return f"{name} {value}"

    async def until_asked(self) -> None:
        """Until one more look-up has begun."""
        await self._begun.acquire()


@pytest.fixture
async def table() -> Table:
    return Table()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Its one element is the time."""
    now = [1000.0]
    monkeypatch.setattr(ttl_cache, "time", SimpleNamespace(monotonic=lambda: now[0]))  # the loop's clock goes on
    return now


async def test_an_answer_is_good_for_a_second_from_before_it_was_asked_for(table: Table, clock: list[float]) -> None:
    found = TtlCache(table.look_up)
    table.answer.clear()
    first = asyncio.create_task(found.get("a"))
    await table.until_asked()
    clock[0] += 0.9  # the database is slow
    table.answer.set()
    assert await first == "a valid"
    table.value = "revoked"
    assert await found.get("a") == "a valid"
    clock[0] += 0.1
    assert found.peek("a") is None
    assert await found.get("a") == "a revoked"


async def test_who_asks_meanwhile_gets_the_same_answer_unless_a_second_is_over(
    table: Table, clock: list[float]
) -> None:
    found = TtlCache(table.look_up)
    table.answer.clear()
    tasks = [asyncio.create_task(found.get("a")) for _ in range(20)]
    await table.until_asked()
    table.value = "revoked"
    clock[0] += 1.0
    late = asyncio.create_task(found.get("a"))
    await table.until_asked()
    table.answer.set()
    assert set(await asyncio.gather(*tasks)) == {"a valid"}
    assert await late == "a revoked"
    assert table.asked == ["a", "a"]


async def test_an_error_is_told_to_all_who_wait_and_not_remembered(table: Table, clock: list[float]) -> None:
    found = TtlCache(table.look_up)
    table.error = ConnectionError("away")
    answers = await asyncio.gather(*(found.get("a") for _ in range(3)), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["away"] * 3
    table.error = None
    assert await found.get("a") == "a valid"


async def test_who_gives_up_takes_the_answer_from_nobody(table: Table, clock: list[float]) -> None:
    found = TtlCache(table.look_up)
    table.answer.clear()
    gone, stays = [asyncio.create_task(found.get("a")) for _ in range(2)]
    await table.until_asked()
    gone.cancel()
    table.answer.set()
    assert await stays == "a valid"
    assert table.asked == ["a"]


async def test_the_longest_unasked_name_is_forgotten_first(
    table: Table, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ttl_cache, "_MOST_ENTRIES", 2)
    found = TtlCache(table.look_up)
    for name in "abc":
        await found.get(name)
    assert [found.peek(name) is not None for name in "abc"] == [False, True, True]


async def test_what_was_given_within_the_second_is_recalled_without_waiting(table: Table, clock: list[float]) -> None:
    found = TtlCache(table.look_up)
    assert found.peek("a") is None
    table.answer.clear()
    waiting = asyncio.create_task(found.get("a"))
    await table.until_asked()
    assert found.peek("a") is None  # it is not answered yet
    table.answer.set()
    await waiting
    assert found.peek("a") == "a valid"
    clock[0] += ttl_cache.SECONDS
    assert found.peek("a") is None
    assert table.asked == ["a"]
