"""Node numbers: leased from the database, never shared, and ids unique whoever had a number before."""

import asyncio

import pytest

from tracker_backend.errors import Unavailable
from tracker_backend.storage.database import Database
from tracker_backend.storage.nodes import Node


async def test_64_processes_that_start_at_once_have_64_numbers_and_the_next_is_refused(database: Database) -> None:
    nodes = [database.node, *(Node(database.pool) for _ in range(63))]
    await asyncio.gather(*(node.lease() for node in nodes[1:]))
    assert sorted(node.number for node in nodes) == list(range(64))
    with pytest.raises(Unavailable, match="all 64 node numbers are leased by running server processes: stop some"):
        await Node(database.pool).lease()

    await nodes[17].release()
    late = Node(database.pool)
    await late.lease()
    assert late.number == nodes[17].number


async def test_a_crashed_holders_number_is_reused_after_its_lease_and_ids_stay_unique(database: Database) -> None:
    nodes = [Node(database.pool) for _ in range(63)]
    for node in nodes:
        await node.lease()
    crashed = nodes[30]
    given = [*crashed.next_ids(10_000)]  # more than the clock has had time for
    await database.pool.execute(
        "update tracker.nodes set until = now() - interval '1 s' where node = $1", crashed.number
    )
    heir = Node(database.pool)
    await heir.lease()
    assert heir.number == crashed.number
    given += heir.next_ids(10_000)
    given += crashed.next_ids(10_000)  # it was only asleep, and gives what it had reserved
    assert len({*given}) == 30_000
    assert max(given) < 2**53
    assert min(heir.next_ids(1)) > max(crashed.next_ids(1))


async def test_a_number_that_was_given_back_goes_on_after_the_last_id(database: Database) -> None:
    nodes = [Node(database.pool) for _ in range(63)]
    for node in nodes:
        await node.lease()
    given: list[int] = []
    node = nodes[5]
    for _ in range(5):
        given += node.next_ids(50_000)
        await node.release()
        node = Node(database.pool)
        await node.lease()
        assert node.number == nodes[5].number
    given += node.next_ids(1)
    assert len({*given}) == len(given)
    assert sorted(given) == given


async def test_a_process_whose_lease_ran_out_gives_no_ids_beyond_what_it_reserved(database: Database) -> None:
    node = Node(database.pool)
    await node.lease()
    reserved = await database.pool.fetchval("select reserved from tracker.nodes where node = $1", node.number)

    def take_all() -> None:
        for _ in range(100):
            assert max(node.next_ids(100_000)) >> 6 <= reserved

    with pytest.raises(Unavailable, match="lease"):
        take_all()


async def test_a_closed_database_gives_its_number_back(database: Database, dsn: str) -> None:
    other = await Database.open(database.store.settings, dsn)
    assert other.node.number != database.node.number
    await other.close()
    held = await database.pool.fetch("select node from tracker.nodes where until > now()")
    assert [row["node"] for row in held] == [database.node.number]
