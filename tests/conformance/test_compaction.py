"""Compaction changes rows, never what a reader gets."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from bench import sample
from tests.conformance.recorded import (
    MIB,
    check_rows,
    event,
    events_by_batch,
    index_of,
    is_packed,
    members,
    moves,
    pack,
    page,
    record,
    recorded,
    rows_of,
    text_of,
)
from tests.conformance.visits import DAY, HOUR, days_ago, now
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance import retention
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.recordings import compaction, packing, replay
from tracker_backend.recordings.frames import PACKED_LEVEL, decode_frame
from tracker_backend.storage.database import Database
from tracker_backend.storage.session_bounds import get_bounds
from tracker_backend.zstd import ZstdDecompressor


def _earlier() -> datetime:
    """Some three hours ago, and an hour before the next midnight: a day's frames are its own."""
    start = now() - 3 * HOUR
    return start if (start + HOUR).date() == start.date() else start - HOUR


async def test_rows_of_a_silent_session_become_one_frame(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    batches = [page(start) + moves(start, 20), *[moves(start + n * timedelta(seconds=5), 20) for n in range(1, 10)]]
    session = await record(pipeline, *batches)
    before, originals = await text_of(database, session), await rows_of(database, session)

    assert await pack(database) == 10
    (row,) = rows = await rows_of(database, session)
    assert await text_of(database, session) == before
    check_rows(rows)
    assert row["arrival"] == max(it["arrival"] for it in originals)
    assert row["timestamp"] == originals[0]["timestamp"]
    assert row["last_at"] == originals[-1]["last_at"]
    assert row["recording_id"] > max(it["recording_id"] for it in originals)
    assert index_of(row).runs == [(0, 22), *((n, 20) for n in range(1, 10))]
    assert members(rows) == members(originals)
    assert await pack(database) == 0


async def test_a_page_of_many_elements_in_one_another_is_packed(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    node: Any = {"id": 2}
    for _ in range(900):
        node = {"childNodes": [node]}
    deep = [event(start, 4, href="https://shop.example/"), event(start, 2, node=node), *moves(start, 20)]
    session = await record(pipeline, deep, moves(start, 20), moves(start + HOUR / 60, 5))
    before = await text_of(database, session)
    assert await pack(database) == 3
    assert len(await rows_of(database, session)) == 1
    assert await text_of(database, session) == before
    assert b"childNodes" in await text_of(database, session, first=start + HOUR / 60)


async def test_a_session_is_left_alone_until_it_was_silent_for_an_hour(database: Database, pipeline: Pipeline) -> None:
    for minutes, packed in ((59, 0), (61, 2)):
        at = now() - timedelta(minutes=minutes)
        session = await record(pipeline, moves(at, 2), moves(at + HOUR / 60, 2), received=at)
        before = await rows_of(database, session)
        assert await pack(database) == packed
        assert (await rows_of(database, session) == before) == (packed == 0)


async def test_frames_hold_at_most_one_mebibyte_or_one_event(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    big = event(start + HOUR / 6, 2, node="x" * (3 * MIB))
    batches = [moves(start + n * timedelta(minutes=1), 100, 9000) for n in range(5)]
    session = await record(pipeline, *batches, [big], moves(start + HOUR / 3, 100, 9000))
    before = await text_of(database, session)
    await pack(database)
    rows = await rows_of(database, session)
    check_rows(rows)
    assert await text_of(database, session) == before
    sizes = [row["inflated_size"] for row in rows]
    assert [size for size in sizes if size > MIB] == [len(msgspec.json.encode(big))]
    assert len(rows) == 7
    assert min(sizes[:4]) > MIB - 10_000, "full ones are full"
    # A batch that lies in two frames is put together again by its id.
    by_batch = events_by_batch(rows)
    sent = [*batches, [big], moves(start + HOUR / 3, 100, 9000)]
    assert [by_batch[key] for key in sorted(by_batch)] == [[msgspec.json.encode(it) for it in each] for each in sent]


async def test_a_page_and_its_full_snapshot_stay_in_one_frame(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    session = await record(
        pipeline,
        page(start) + moves(start, 60, 9000),
        page(start + HOUR / 2, MIB // 2) + moves(start + HOUR / 2, 9),
    )
    span = {"first": start + HOUR / 2 + timedelta(milliseconds=50)}
    before = await text_of(database, session, **span)
    await pack(database)
    rows = await rows_of(database, session)
    assert [row["has_full_snapshot"] for row in rows] == [True, True]
    assert msgspec.json.decode(decode_frame(rows[1]["data"])[0])["type"] == 4
    assert await text_of(database, session, **span) == before


# Milliseconds from the start; those ten days away are outside the late window.
moment = st.integers(0, 25) | st.sampled_from((-864_000_000, 864_000_000))
rrweb_event = st.tuples(st.sampled_from((2, 3, 4, 9)), moment, st.text(max_size=3))
batch_lists = st.lists(st.lists(rrweb_event, min_size=1, max_size=6), min_size=1, max_size=7)


@pytest.fixture
def small_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames of a few events, so that small examples fill several."""
    monkeypatch.setattr(packing, "FRAME", 300)
    monkeypatch.setattr(compaction, "FRAME", 300)
    monkeypatch.setattr(compaction, "_STRETCH", 1000)


@examples(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=batch_lists, second=batch_lists, around_midnight=st.booleans())
@pytest.mark.usefixtures("small_frames")
async def test_the_replay_is_the_same_after_any_compaction(
    past: Database, pipeline: Pipeline, first: Any, second: Any, around_midnight: bool
) -> None:
    """Batches in any order, with overlaps and ties, on one day or two; then more of them, late; packed each time."""
    noon = days_ago(3)
    start = noon + HOUR * 12 - timedelta(milliseconds=12) if around_midnight else noon
    session, sent = uuid4(), 0

    async def send(lists: Any) -> None:
        nonlocal sent
        for items in lists:
            events = [event(start + timedelta(milliseconds=at), kind, text=text) for kind, at, text in items]
            await pipeline.submit(recorded(session, events, noon + DAY, initial=True))
            sent += len(events)

    for lists in (first, second):
        await send(lists)
        before, stored = await text_of(past, session), await rows_of(past, session)
        spans = [
            {"first": start + timedelta(milliseconds=n), "last": start + timedelta(milliseconds=18)} for n in (3, 9)
        ]
        cuts = [await text_of(past, session, **span) for span in spans]
        for _ in range(2):
            await pack(past)
            assert await text_of(past, session) == before
            assert [await text_of(past, session, **span) for span in spans] == cuts
        rows = await rows_of(past, session)
        assert all(map(is_packed, rows))
        check_rows(rows)
        assert events_by_batch(rows) == events_by_batch(stored)
        assert members(rows) == members(stored)
        assert sum(row["event_count"] for row in rows) == sent
        assert {row["timestamp"].date() for row in rows} == {row["timestamp"].date() for row in stored}
        bounds = await get_bounds(past.pool, 1, session)
        assert all(bounds.first <= row["timestamp"] <= row["last_at"] <= bounds.last for row in rows)


async def test_a_late_batch_is_packed_into_what_was_packed(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    session = await record(pipeline, moves(start, 50), moves(start + HOUR / 60, 50))
    first = await rows_of(database, session)
    await pack(database)
    await record(pipeline, moves(start, 50), session=session)
    late, before = await rows_of(database, session), await text_of(database, session)
    assert len(late) == 2

    assert await pack(database) == 2
    (row,) = rows = await rows_of(database, session)
    assert await text_of(database, session) == before
    assert members(rows) == members([*first, *late])
    assert index_of(row).runs == [(n % 2, 1) for n in range(100)] + [(2, 50)], "ties by arrival, the late one last"


async def test_days_are_not_mixed_so_retention_drops_a_day_whole(past: Database, pipeline: Pipeline) -> None:
    midnight = days_ago(31) + 12 * HOUR
    batches = [moves(midnight + n * timedelta(seconds=10), 20) for n in range(-5, 5)]
    over = moves(midnight - timedelta(seconds=5), 1000)
    session = await record(pipeline, *batches, over, received=midnight + HOUR)
    before = await rows_of(past, session)
    days = {row["recording_id"]: row["timestamp"].date() for row in before}
    replayed = await text_of(past, session)
    await pack(past)
    rows = await rows_of(past, session)
    check_rows(rows)
    assert await text_of(past, session) == replayed
    assert len(rows) < len(before)
    for row in rows:
        assert {days[batch["id"]] for batch in index_of(row).batches} == {row["timestamp"].date()}

    kept = [row["recording_id"] for row in rows if row["timestamp"] >= midnight]
    assert 0 < len(kept) < len(rows)
    await retention.drop_raw_rows(past.maintained)
    assert [row["recording_id"] for row in await rows_of(past, session)] == kept


class _CutError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("how", ["raised", "terminated"])
async def test_a_run_that_is_cut_off_leaves_all_as_it_was(
    database: Database, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    start = _earlier()
    session = await record(pipeline, *[moves(start + n * timedelta(seconds=5), 20) for n in range(5)])
    before, replayed = await rows_of(database, session), await text_of(database, session)
    loop = asyncio.get_running_loop()
    written = (
        "select count(*) from pg_stat_activity where state = 'idle in transaction' and datname = current_database()"
    )
    finish = packing.Packer.finish

    def cut(packer: packing.Packer) -> list[packing.Frame]:
        made = finish(packer)
        statement = written if how == "raised" else written.replace("count(*)", "count(pg_terminate_backend(pid))")
        found = asyncio.run_coroutine_threadsafe(database.pool.fetchval(statement), loop).result()
        assert found == 1
        if how == "raised":
            raise _CutError
        return made

    monkeypatch.setattr(packing, "FRAME", 3000)  # so that new rows have been written when it is cut off
    monkeypatch.setattr(packing.Packer, "finish", cut)
    # asyncpg has no one error for this: which it is depends on whether it has seen the end before its next message.
    gone = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
    with pytest.raises((_CutError, *gone)):
        await pack(database)
    assert await rows_of(database, session) == before
    monkeypatch.setattr(packing.Packer, "finish", finish)
    assert await pack(database) == 5
    assert 1 < len(await rows_of(database, session)) < 5
    assert await text_of(database, session) == replayed


async def test_a_replay_goes_on_through_a_compaction(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    batches = [page(start), *[moves(start + n * timedelta(seconds=5), 400, 300) for n in range(12)]]
    session = await record(pipeline, *batches)
    before = await text_of(database, session)
    for wanted in range(1, 8):
        copy = await record(pipeline, *batches)
        texts = replay.json_text(replay.replay(database.pool, 1, copy))
        frames_ = replay.zstd_frames(replay.replay(database.pool, 1, copy))
        read = [await anext(texts) for _ in range(wanted)]
        packed = [await anext(frames_) for _ in range(wanted)]
        assert await pack(database) > 0
        read += [text async for text in texts]
        packed += [frame async for frame in frames_]
        assert b"".join(read) == before
        assert _inflate(b"".join(packed)) == before


def _inflate(data: bytes) -> bytes:
    text = b""
    while data:
        inflater = ZstdDecompressor()
        text += inflater.decompress(data)
        data = inflater.unused_data
    return text


async def test_a_batch_that_comes_meanwhile_is_stored_and_packed_later(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    session = await record(pipeline, moves(start, 20), moves(start + HOUR / 60, 20))
    late = recorded(session, moves(start, 30), now() - 2 * HOUR)
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with database.pool.acquire() as holder, holder.transaction():
        await holder.fetchrow("select from tracker.sessions where session_id = $1 for update", session)
        packing = asyncio.create_task(pack(database))
        while await database.pool.fetchval(waiting) < 1:
            pass
        writing = asyncio.create_task(pipeline.submit(late))
        while await database.pool.fetchval(waiting) < 2:
            pass
    await writing
    assert await packing >= 2
    await pack(database)
    (row,) = await rows_of(database, session)
    assert row["event_count"] == 70


async def test_a_session_that_somebody_holds_is_packed_the_next_time(
    database: Database, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = _earlier()
    held, free = [await record(pipeline, moves(start, 20), moves(start + HOUR / 60, 20)) for _ in range(2)]
    monkeypatch.setattr(compaction, "_sql", _Impatient())
    async with database.pool.acquire() as holder, holder.transaction():
        await holder.fetchrow("select from tracker.sessions where session_id = $1 for update", held)
        assert await pack(database) == 2
    assert [len(await rows_of(database, session)) for session in (held, free)] == [2, 1]
    assert await pack(database) == 2


class _Impatient:
    """The task's queries, with a lock time-out that a test can wait for."""

    limit_wait = "set local lock_timeout = '10ms'"

    def __init__(self) -> None:
        self._queries: Any = compaction._sql  # pyright: ignore[reportPrivateUsage] — one query of it is replaced

    def __getattr__(self, name: str) -> str:
        return getattr(self._queries, name)


async def test_an_unreadable_row_does_not_stop_the_others(
    database: Database, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    start = _earlier()
    broken, whole = [await record(pipeline, moves(start, 20), moves(start + HOUR / 60, 20)) for _ in range(2)]
    await database.pool.execute("update tracker.recordings set data = 'x' where session_id = $1", broken)
    assert await pack(database) == 2
    assert [len(await rows_of(database, session)) for session in (broken, whole)] == [2, 1]
    assert str(broken) in caplog.text


async def test_erasing_a_packed_session_leaves_nothing(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    gone, kept = [await record(pipeline, moves(start, 20), moves(start + HOUR / 60, 20)) for _ in range(2)]
    await pack(database)
    await record(pipeline, moves(start, 5), session=gone)
    assert await erase_session(database.pool, database.node, 1, gone)
    assert await rows_of(database, gone) == []
    assert len(await rows_of(database, kept)) == 1
    assert await pack(database) == 0


async def test_only_rows_that_are_not_packed_are_searched(database: Database, pipeline: Pipeline) -> None:
    start = _earlier()
    await record(pipeline, *[moves(start + n * timedelta(seconds=1), 2) for n in range(30)])
    await pack(database)
    await database.pool.execute("analyze tracker.recordings")
    find = getattr(compaction._sql, "find_sessions")  # noqa: B009 # pyright: ignore[reportPrivateUsage]
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute("set local enable_seqscan = off")
        plan = await connection.fetch(f"explain {find}", now(), 0, UUID(int=0), 100)
    text = "\n".join(row[0] for row in plan)
    assert "recordings_loose" in text or "project_id_session_id_idx" in text, text


async def test_packed_frames_are_smaller(
    database: Database, pipeline: Pipeline, record_property: Callable[[str, object], None]
) -> None:
    begin = round(_earlier().timestamp() * 1000)
    session = await record(pipeline, *sample.batches(sample.events(), begin))
    before = await rows_of(database, session)
    await pack(database)
    rows = await rows_of(database, session)
    json, small, large = (
        sum(row["inflated_size"] for row in before),
        sum(len(row["data"]) for row in before),
        sum(len(row["data"]) for row in rows),
    )
    record_property("ratios", (json / small, json / large))
    print(f"a batch of 5 s at level 3: {json / small:.1f}, packed at level {PACKED_LEVEL}: {json / large:.1f}")
    assert large < small
