"""What was erased stays away as long as a browser may send it again, and no longer."""

import asyncio
from datetime import datetime

import asyncpg
import msgspec
import pytest

from tests.conformance.conftest import maintained
from tests.conformance.test_erasure import USER, ask, erase, place
from tests.conformance.visits import DAY, batch, clicks, days_ago, now, visit
from tracker_backend.errors import Unavailable
from tracker_backend.ingest.batch import Drop, SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.privacy import erasures, tombstones
from tracker_backend.privacy.receipts import get_receipt
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database


async def stands_until(database: Database) -> datetime | None:
    """The end of the last tombstone."""
    return await database.pool.fetchval("select max(until) from tracker.tombstones")


async def test_an_offline_queue_that_is_sent_again_is_dropped_with_its_reason(
    database: Database, pipeline: Pipeline
) -> None:
    queue = [batch(clicks(days_ago(3), 5), name=f"{number}") for number in range(4)]
    for each in queue:
        each.session_id = queue[0].session_id
    queue[0].session.user_id = USER
    for each in queue[:3]:
        assert (await pipeline.submit(each)).is_new
    await erase(database)
    for each in queue:
        again = batch(clicks(days_ago(3), 5), session=each.session_id, name=each.name, fields=each.session)
        outcome = await pipeline.submit(again)
        assert (outcome.dropped, outcome.is_new, outcome.created) == (Drop.ERASED, False, False)
    for table in ("sessions", "events", "ingest_batches"):
        assert await database.pool.fetchval(f"select count(*) from tracker.{table}") == 0


async def test_a_new_session_of_an_erased_user_is_dropped_and_one_of_nobody_is_not(
    database: Database, pipeline: Pipeline
) -> None:
    await erase(database)
    gone = await pipeline.submit(batch(clicks(now(), 2), fields=SessionFields(user_id=USER)))
    kept = await pipeline.submit(batch(clicks(now(), 2)))
    assert (gone.dropped, kept.dropped) == (Drop.ERASED, None)


async def test_naming_an_erased_user_does_not_remove_the_session_of_another(
    database: Database, pipeline: Pipeline
) -> None:
    await erase(database)
    other = batch(clicks(now(), 3), fields=SessionFields(user_id="another"))
    await pipeline.submit(other)
    forged = batch(clicks(now(), 1), session=other.session_id, fields=SessionFields(user_id=USER))
    assert (await pipeline.submit(forged)).dropped is Drop.ERASED
    await erasures.finish_erasures(database.maintained)
    assert await database.pool.fetchval("select count(*) from tracker.events") == 3
    assert (await pipeline.submit(batch(clicks(now(), 2), session=other.session_id))).is_new


async def test_a_tombstone_ends_with_its_time(database: Database, pipeline: Pipeline) -> None:
    await erase(database)
    until = await stands_until(database)
    assert until is not None
    assert 29 * DAY < until - now() <= 30 * DAY
    assert await tombstones.remove_expired(database.maintained) == 0
    await database.pool.execute("update tracker.tombstones set until = now() - interval '1 second'")
    assert await tombstones.remove_expired(database.maintained) == 1
    assert (await pipeline.submit(batch(clicks(now(), 2), fields=SessionFields(user_id=USER)))).is_new


async def test_a_tombstone_outlives_the_late_window(database: Database) -> None:
    long = maintained(database, Settings(late_days=40, compress_after_days=40, retention_days=60, batch_days=50))
    assert tombstones.lifetime(long.settings) == 41 * DAY
    assert tombstones.lifetime(Settings()) == 30 * DAY
    assert tombstones.lifetime(Settings(tombstone_days=90)) == 90 * DAY


async def test_one_whose_session_may_have_rows_is_not_swept(database: Database, pipeline: Pipeline) -> None:
    await erase(database)
    session = await visit(pipeline, clicks(now(), 2))
    await pipeline.submit(batch(session=session, fields=SessionFields(user_id=USER)))
    await database.pool.execute("update tracker.tombstones set until = now() - interval '1 second'")
    assert await tombstones.remove_expired(database.maintained) == 1, "the user's"
    await erasures.finish_erasures(database.maintained)
    assert await database.pool.fetchval("select count(*) from tracker.events") == 0
    assert await tombstones.remove_expired(database.maintained) == 1


async def test_an_erasure_that_finds_no_pause_between_batches_begins_later(
    database: Database, pipeline: Pipeline, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await visit(pipeline, clicks(now(), 2), fields=SessionFields(user_id=USER))
    monkeypatch.setattr(tombstones, "_ATTEMPTS", 2)
    monkeypatch.setattr(tombstones, "_PAUSE_SECONDS", 0)
    sql = tombstones._sql  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setitem(sql._queries, "limit_wait", "set local lock_timeout = '50ms'")  # pyright: ignore[reportPrivateUsage]
    erasure_id = await ask(database)
    writer = await asyncpg.connect(dsn)
    try:
        async with writer.transaction():
            await writer.execute("lock table tracker.tombstones in row exclusive mode")
            with pytest.raises(Unavailable, match="goes on"):
                await erasures.run_erasure(place(database), erasure_id)
    finally:
        await writer.close()
    assert (await get_receipt(database.pool, 1, erasure_id)).finished_at is None
    assert await database.pool.fetchval("select count(*) from tracker.events where session_id = $1", session) == 2
    assert await erasures.finish_erasures(database.maintained) == 1
    receipt = await get_receipt(database.pool, 1, erasure_id)
    assert msgspec.json.decode(receipt.removed)["events"] == 2


async def test_neither_readers_nor_a_backup_hold_up_an_erasure(
    database: Database, pipeline: Pipeline, dsn: str
) -> None:
    await visit(pipeline, clicks(now(), 2), fields=SessionFields(user_id=USER))
    backup = await asyncpg.connect(dsn)
    try:
        async with backup.transaction():
            await backup.execute("lock table tracker.tombstones, tracker.sessions, tracker.events in access share mode")
            receipt, outcome = await asyncio.gather(erase(database), pipeline.submit(batch(clicks(now(), 2))))
    finally:
        await backup.close()
    assert receipt.finished_at is not None
    assert outcome.is_new
