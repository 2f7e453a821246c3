"""One process of all runs the maintenance tasks."""

import asyncio

from tests.conformance.hourly import counted, until
from tests.conformance.visits import clicks, days_ago, visit
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance.leader import Leader
from tracker_backend.maintenance.tasks import TASKS
from tracker_backend.storage.database import Database

HOLDER = "select holder from tracker.leases where until > now()"


async def test_one_of_several_leads_and_keeps_the_lead(database: Database) -> None:
    leaders = [Leader(database.maintained) for _ in range(4)]
    led = await asyncio.gather(*(leader.take_lease() for leader in leaders))
    assert sorted(led) == [False, False, False, True]
    for _ in range(3):
        assert [await leader.take_lease() for leader in leaders] == led


async def test_a_leader_that_died_is_followed_when_its_lease_has_run_out(database: Database) -> None:
    first, second = Leader(database.maintained), Leader(database.maintained)
    assert await first.take_lease()
    assert not await second.take_lease()
    await database.pool.execute("update tracker.leases set until = now() - interval '1 second'")
    assert await second.take_lease()
    assert not await first.take_lease()


async def test_a_leader_that_stops_is_followed_at_once(database: Database) -> None:
    first, second = Leader(database.maintained), Leader(database.maintained)
    first.start()
    await until(lambda: database.pool.fetchval(HOLDER))
    assert not await second.take_lease()
    await first.stop()
    assert await second.take_lease()


async def test_the_leader_runs_the_tasks_and_the_other_process_none(database: Database, pipeline: Pipeline) -> None:
    for days in (3, 2):
        await visit(pipeline, clicks(days_ago(days), 4))
    leaders = [Leader(database.maintained), Leader(database.maintained)]
    assert await leaders[1].take_lease()
    for leader in leaders:
        leader.start()
    # The tasks that empty the list come second and third.
    await until(lambda: database.pool.fetchval("select not exists (select from tracker.hours_to_refresh)"))
    assert await counted(database.pool) == 8
    assert not await leaders[0].take_lease()
    for leader in leaders:
        await leader.stop()


async def test_every_task_runs_twice_on_an_empty_database_and_finds_nothing_to_do(database: Database) -> None:
    for task in TASKS:
        await task.run_once(database.maintained)
    done = {task.name: await task.run_once(database.maintained) for task in TASKS}
    if database.store.tier == "timescale":
        del done["events-hourly"]  # its watermark follows events, so empty hours are looked at again
    assert set(done.values()) == {0}
