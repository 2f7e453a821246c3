"""A visitor is erased from everything, for good, with a receipt and a later proof."""

import asyncio
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.conformance.blocking import blocking, until_waited_for
from tests.conformance.columnstore import compress
from tests.conformance.cut_off import cut_off_everywhere
from tests.conformance.holding import holding
from tests.conformance.hourly import counted, until, wrong_event_hours, wrong_session_hours
from tests.conformance.recorded import page
from tests.conformance.visits import CART, DAY, HOUR, batch, clicks, days_ago, event, now, placed, visit
from tests.importing.test_round_trip import picture
from tracker_backend.errors import Invalid
from tracker_backend.ingest.batch import Drop, SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.maintenance.tasks import refresh_events, refresh_sessions
from tracker_backend.privacy import erasure_check, erasures
from tracker_backend.privacy.receipts import Receipt, get_receipt
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.keyed_hash import Subject

LOCKS = "select count(*) from pg_locks where relation = 'tracker.tombstones'::regclass and not granted"
USER, MAIL = "visitor-of-the-canary", "canary@shop.example"


def place(database: Database) -> erasures.ErasureContext:
    """Where to erase, as the server's task does."""
    return erasures.context_of(database.maintained)


async def ask(database: Database, subject: Subject = "user", wanted: str = USER, project: int = 1) -> UUID:
    """Asks for an erasure; nothing is done yet."""
    return await erasures.request_erasure(place(database), project, subject, wanted, "local", "visitor erased")


async def erase(database: Database, subject: Subject = "user", wanted: str = USER, project: int = 1) -> Receipt:
    """Erases, and returns the receipt."""
    erasure_id = await ask(database, subject, wanted, project)
    await erasures.run_erasure(place(database), erasure_id)
    return await get_receipt(database.pool, project, erasure_id)


def removed(receipt: Receipt) -> dict[str, int]:
    """What a receipt says was removed, without what was not there."""
    return {name: count for name, count in msgspec.json.decode(receipt.removed).items() if count}


async def browse(pipeline: Pipeline, moment: datetime, *, user: str | None = USER, project: int = 1) -> UUID:
    """A session of every kind of row that tells of a user wherever it can."""
    session, name = uuid4(), user or "nobody"
    fields = SessionFields(
        client_session_id=f"visit of {name}",
        user_id=user,
        user_email=MAIL if user == USER else None,
        fingerprint=f"print of {name}",
        page_url=f"https://shop.example/{name}",
        metadata=msgspec.json.encode({"name": name}),
    )
    about: dict[str, Any] = {"session": session, "project": project, "received": moment + HOUR}
    events = [event(moment, "input", f"https://shop.example/{name}", input_value=name), *clicks(moment, 4)]
    await visit(pipeline, events, fields=fields, **about)
    sent = ScreenshotRequest(session, f"https://shop.example/{name}", 0, picture("navy"))
    for back in range(2):  # the second row points to the first
        shot = batch(image=await check_image(sent, Settings()), **about)
        shot.times = [shot.times[0] - back * 1_000_000]
        await pipeline.submit(shot)
    await visit(pipeline, recording=page(moment), **about)
    return session


async def all_rows(database: Database, session: UUID) -> list[str]:
    """Every row of a session, byte by byte."""
    found: list[str] = []
    for table in ("sessions", "events", "recordings", "screenshots", "ingest_batches"):
        rows = await database.pool.fetch(f"select t::text from tracker.{table} t where session_id = $1", session)
        found += sorted(row[0] for row in rows)
    return found


async def check_hours(database: Database) -> None:
    """Computed hours equal the rows that remain."""
    await refresh_events(database.maintained)
    await refresh_sessions(database.maintained)
    assert await wrong_event_hours(database.pool) == []
    assert await wrong_session_hours(database.pool) == []


async def test_nothing_of_a_visitor_is_left_and_all_others_stay_byte_by_byte(
    past: Database, pipeline: Pipeline
) -> None:
    gone = [await browse(pipeline, moment) for moment in (days_ago(20), days_ago(10), days_ago(2), now() - HOUR / 60)]
    kept = [await browse(pipeline, moment, user=user) for moment in (days_ago(10), now()) for user in ("other", None)]
    await check_hours(past)
    if past.store.tier == "timescale":
        assert {f"{days_ago(20):%Y-%m-%d}", f"{days_ago(10):%Y-%m-%d}"} <= await compress(past)
    before = {session: await all_rows(past, session) for session in kept}
    held = await holding(past, USER, MAIL, *map(str, gone))
    assert {"tracker.sessions", "tracker.ingest_batches"} <= held
    assert len(held) > 8, "chunks and computed hours too"

    receipt = await erase(past)

    await check_hours(past)
    assert await holding(past, USER, MAIL, *map(str, gone)) == set()
    assert {session: await all_rows(past, session) for session in kept} == before
    assert receipt.finished_at is not None
    found = removed(receipt)
    assert {name: found[name] for name in ("sessions", "screenshots", "recordings")} == {
        "sessions": 4,
        "screenshots": 8,
        "recordings": 4,
    }
    assert found["ingest_batches"] == 16
    assert found["events"] >= 20
    assert await counted(past.pool) == await past.pool.fetchval("select count(*) from tracker.events")
    assert await past.pool.fetchval("select sum(sessions)::int from tracker.session_totals where project_id = 1") == 4

    checked = await erasure_check.check_erasure(place(past), 1, receipt.erasure_id, "user", USER)
    assert checked.is_clean
    assert set(checked.left.values()) == {0}
    assert checked.dropped_until is not None
    assert checked.dropped_until - now() > 29 * DAY


async def test_two_projects_with_the_same_visitor_session_and_batches_do_not_touch_each_other(
    database: Database, pipeline: Pipeline
) -> None:
    session = uuid4()
    for project in (1, 2):
        fields = SessionFields(user_id=USER)
        await visit(pipeline, clicks(now(), 3), session=session, project=project, name="same", fields=fields)
    await erase(database, project=2)
    left = await database.pool.fetch("select project_id, count(*) from tracker.events group by 1")
    assert [tuple(row) for row in left] == [(1, 3)]
    (theirs, ours) = [
        await pipeline.submit(batch(clicks(now(), 1), session=session, project=project)) for project in (2, 1)
    ]
    assert (theirs.dropped, ours.dropped) == (Drop.ERASED, None)


async def test_an_erasure_that_was_killed_anywhere_is_finished_by_the_task(
    database: Database, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cut off before each of its transactions in turn, and never ends twice as something else."""
    sessions = [await visit(pipeline, clicks(days_ago(2), 3), fields=SessionFields(user_id=USER)) for _ in range(4)]
    kept = await visit(pipeline, clicks(days_ago(2), 3))
    before = await all_rows(database, kept)
    monkeypatch.setattr(erasures, "_PAGE", 2)
    erasure_id = await ask(database)
    cuts = await cut_off_everywhere(database, monkeypatch, lambda: erasures.finish_erasures(database.maintained))
    assert cuts > 6
    receipt = await get_receipt(database.pool, 1, erasure_id)
    assert removed(receipt) == {"sessions": 4, "events": 12, "ingest_batches": 4}
    assert receipt.finished_at is not None
    assert await holding(database, USER, *map(str, sessions)) == set()
    assert await all_rows(database, kept) == before
    await check_hours(database)
    assert await erasures.finish_erasures(database.maintained) == 0


async def test_the_same_request_again_goes_on_with_the_same_erasure_and_after_its_end_finds_nothing(
    database: Database, pipeline: Pipeline
) -> None:
    session = await visit(pipeline, clicks(now(), 3), fields=SessionFields(user_id=USER))
    first, again = await ask(database), await ask(database)
    assert first == again
    await asyncio.gather(*(erasures.run_erasure(place(database), first) for _ in range(2)))
    assert removed(await get_receipt(database.pool, 1, first)) == {"sessions": 1, "events": 3, "ingest_batches": 1}
    later = await erase(database)
    assert later.erasure_id != first
    assert removed(later) == {}
    by_session = await erase(database, "session", str(session))
    assert removed(by_session) == {}
    assert by_session.finished_at is not None


async def test_rows_without_their_sessions_row_are_erased_too(database: Database, pipeline: Pipeline) -> None:
    session = await browse(pipeline, days_ago(2))
    await database.pool.execute("delete from tracker.sessions where session_id = $1", session)
    receipt = await erase(database, "session", str(session))
    assert removed(receipt).keys() == {"events", "recordings", "screenshots", "ingest_batches"}
    assert await holding(database, str(session)) == set()


@pytest.mark.parametrize("way", ["user", "session"])
async def test_nothing_survives_an_erasure_against_writers_in_two_processes(
    database: Database, pipeline: Pipeline, second: Pipeline, way: Subject
) -> None:
    """Batches of the same user and sessions are being committed all the time; half of them do not name the user."""
    sessions = [uuid4() for _ in range(1 if way == "session" else 5)]
    for session in sessions:
        await visit(pipeline, clicks(now(), 1), session=session, fields=SessionFields(user_id=USER))
    stored = dropped = 0
    began = asyncio.Event()

    async def write(writer: Pipeline, number: int) -> None:
        nonlocal stored, dropped
        for each in range(25):
            session = sessions[(number + each) % len(sessions)]
            fields = SessionFields(user_id=USER if each % 2 else None)
            moment = now() if each % 3 else days_ago(2)
            outcome = await writer.submit(
                batch(clicks(moment, 5), session=session, name=f"{number} {each}", fields=fields)
            )
            stored, dropped = stored + outcome.is_new, dropped + (outcome.dropped is Drop.ERASED)
            if stored > 20:
                began.set()

    writers = [asyncio.create_task(write(writer, number)) for number, writer in enumerate([pipeline, second] * 8)]
    await began.wait()
    receipt = await erase(database, way, USER if way == "user" else str(sessions[0]))
    await asyncio.gather(*writers)
    assert stored + dropped == 16 * 25
    assert dropped > 0
    await erasures.finish_erasures(database.maintained)
    receipt = await get_receipt(database.pool, 1, receipt.erasure_id)
    assert removed(receipt)["ingest_batches"] == stored + len(sessions)
    assert await holding(database, USER, *map(str, sessions)) == set()
    await check_hours(database)


async def test_what_came_of_a_session_before_it_named_the_erased_user_goes_too(
    database: Database, pipeline: Pipeline
) -> None:
    receipt = await erase(database)
    session = await visit(pipeline, clicks(days_ago(1), 4))
    start = await pipeline.submit(batch(session=session, fields=SessionFields(user_id=USER)))
    later = await pipeline.submit(batch(clicks(now(), 2), session=session))
    assert (start.dropped, later.dropped) == (Drop.ERASED, Drop.ERASED)

    assert await erasures.finish_erasures(database.maintained) == 1
    assert await holding(database, USER, str(session)) == set()
    await check_hours(database)
    after = await get_receipt(database.pool, 1, receipt.erasure_id)
    assert removed(after) == {"sessions": 1, "events": 4, "ingest_batches": 1}
    assert await erasures.finish_erasures(database.maintained) == 0
    assert (await erasure_check.check_erasure(place(database), 1, receipt.erasure_id, "user", USER)).is_clean


async def test_what_came_before_is_found_although_its_group_commits_after_the_name(
    database: Database, pipeline: Pipeline, second: Pipeline, dsn: str
) -> None:
    await erase(database)
    early = batch(clicks(now(), 5), name="early")
    identity = placed(second, batch(clicks(now(), 5), session=early.session_id, name="early")).batch.identity
    claim = "insert into tracker.ingest_batches (project_id, session_id, batch_id, events) values (1, $1, $2, 5)"
    async with blocking(database, dsn, claim, early.session_id, identity) as blocker:
        writing = asyncio.create_task(pipeline.submit(early))
        await until_waited_for(database, blocker)
        named = await second.submit(batch(session=early.session_id, fields=SessionFields(user_id=USER)))
        assert named.dropped is Drop.ERASED
        finishing = asyncio.create_task(erasures.finish_erasures(database.maintained))
        await until(lambda: database.pool.fetchval(LOCKS))
    assert (await writing).is_new
    assert await finishing == 1
    assert await holding(database, USER, str(early.session_id)) == set()
    await check_hours(database)


async def test_a_group_that_is_under_way_is_erased_with_the_rest(
    database: Database, pipeline: Pipeline, second: Pipeline, dsn: str
) -> None:
    """It has read the tombstones before there were any, and commits after they were asked for."""
    session = await visit(pipeline, clicks(now(), 1))
    held = "select from tracker.sessions where session_id = $1 for update"
    async with blocking(database, dsn, held, session) as blocker:
        late = batch(clicks(now(), 5), session=session, fields=SessionFields(user_id=USER))
        writing = asyncio.create_task(second.submit(late))
        await until_waited_for(database, blocker)
        erasing = asyncio.create_task(erase(database))
        await until(lambda: database.pool.fetchval(LOCKS))
    outcome = await writing
    receipt = await erasing
    assert outcome.is_new
    assert removed(receipt)["events"] == 6
    assert await holding(database, USER, str(session)) == set()


async def test_the_proof_finds_what_is_left_and_refuses_another_visitor(database: Database, pipeline: Pipeline) -> None:
    session = await browse(pipeline, days_ago(2))
    receipt = await erase(database)
    assert (await erasure_check.check_erasure(place(database), 1, receipt.erasure_id, "user", USER)).is_clean
    with pytest.raises(Invalid, match="was not of this user"):
        await erasure_check.check_erasure(place(database), 1, receipt.erasure_id, "user", "somebody")
    with pytest.raises(Invalid, match="was not of this session"):
        await erasure_check.check_erasure(place(database), 1, receipt.erasure_id, "session", str(session))
    # What a defect, a restored backup or a hand could bring back, one after the other.
    columns = "(event_id, project_id, session_id, timestamp, source, event_type, page_url, page_host, page_path)"
    row = "select 1, 1, $1, now() - interval '2 days', 'native', 'click', '', '', ''"
    await database.pool.execute(f"insert into tracker.events {columns} {row}", session)
    checked = await erasure_check.check_erasure(place(database), 1, receipt.erasure_id, "user", USER)
    assert (checked.is_clean, checked.left["events"], checked.left["sessions"]) == (False, 1, 0)
    await database.pool.execute(
        "insert into tracker.sessions (project_id, session_id, user_id, started_at, last_activity_at)"
        " values (1, $1, $2, now(), now())",
        uuid4(),
        USER,
    )
    checked = await erasure_check.check_erasure(place(database), 1, receipt.erasure_id, "user", USER)
    assert (checked.left["events"], checked.left["sessions"]) == (1, 1)


async def test_a_visitor_of_many_sessions_is_erased_in_bounded_transactions(
    database: Database, pipeline: Pipeline
) -> None:
    made = [batch(clicks(now(), 1, CART), fields=SessionFields(user_id=USER)) for _ in range(600)]
    await asyncio.gather(*(pipeline.submit(each) for each in made))
    receipt = await erase(database)
    assert removed(receipt) == {"sessions": 600, "events": 600, "ingest_batches": 600}
    assert await database.pool.fetchval("select count(*) from tracker.tombstones") == 601
