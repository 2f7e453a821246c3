"""Ids that a process gives: unique, in order, below 2^53, and telling the time. Leases have tests in conformance/."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tracker_backend.errors import Unavailable
from tracker_backend.storage.database import Database
from tracker_backend.storage.nodes import NODE_BITS, PER_MS, Node, milliseconds_of


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def test_ids_of_two_processes_are_in_order_and_never_the_same(database: Database) -> None:
    other = Node(database.pool)
    await other.lease()
    assert other.number != database.node.number
    given: dict[int, list[int]] = {0: [], 1: []}
    for size in (1, 100, 1, 1000, 3, 100):
        for which, node in enumerate((database.node, other)):
            given[which] += node.next_ids(size)
    for ids in given.values():
        assert ids == sorted(set(ids))
        assert max(ids) < 2**53
    assert not set(given[0]) & set(given[1])
    await other.release()


async def test_an_id_tells_its_millisecond_and_its_process(database: Database) -> None:
    before = now_ms()
    [identifier] = database.node.next_ids(1)
    assert before <= milliseconds_of(identifier) <= now_ms()
    assert identifier & ((1 << NODE_BITS) - 1) == database.node.number


async def test_more_ids_than_a_millisecond_has_are_borrowed_from_the_next(database: Database) -> None:
    given = database.node.next_ids(PER_MS * 50)
    assert milliseconds_of(given[-1]) - milliseconds_of(given[0]) in (49, 50)


async def test_no_ids_are_given_before_a_lease(database: Database) -> None:
    with pytest.raises(Unavailable, match="lease"):
        Node(database.pool).next_ids(1)


@pytest.mark.parametrize("later_ms", [0, 1, 59_999])
async def test_an_id_of_a_moment_tells_that_moment_or_up_to_a_minute_later(database: Database, later_ms: int) -> None:
    moment = datetime(2026, 11, 21, 10, 0, 4, 250_999, tzinfo=UTC)
    ids = [database.node.id_at(moment, later_ms) for _ in range(PER_MS)]
    assert len(set(ids)) == PER_MS
    assert max(ids) < 2**53
    shown = {datetime.fromtimestamp(milliseconds_of(identifier) / 1000, UTC) for identifier in ids}
    assert shown == {moment.replace(microsecond=250_000) + timedelta(milliseconds=later_ms)}
    assert database.node.id_at(moment, later_ms) in ids, "the insert finds that out"


def test_ids_last_until_2054() -> None:
    counter = (
        (datetime(2054, 1, 1, tzinfo=UTC) - datetime(2020, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) * PER_MS
    )
    assert counter << NODE_BITS < 2**53
