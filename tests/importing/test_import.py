"""What files an import takes, and what it makes of them, on both tiers."""

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.conformance.visits import DAY, now
from tests.importing.conftest import BASE, Run, click, meta, recording
from tests.projects import make_project
from tracker_backend.errors import Invalid
from tracker_backend.importing import batches
from tracker_backend.maintenance.tasks import refresh_events, refresh_sessions
from tracker_backend.queries import events, sessions
from tracker_backend.recordings import replay
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database

SESSION = "6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11"


async def recorded_events(database: Database, session: UUID, project: int = 1) -> list[Any]:
    """The events of a stored recording."""
    parts = replay.json_text(replay.replay(database.pool, project, session))
    return json.loads(b"".join([part async for part in parts]))


def write(folder: Path, content: Any, name: str = "recording.json") -> Path:
    """A file with this text, or with this value as JSON."""
    path = folder / name
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def lines(values: list[Any]) -> bytes:
    """NDJSON."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


EVENTS = recording()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("array.json", EVENTS),
        ("pretty.json", json.dumps(EVENTS, indent=2).encode()),
        ("object.json", {"sessionId": SESSION, "events": EVENTS}),
        ("late.json", {"events": EVENTS, "sessionId": SESSION}),
        ("snake.json", {"session_id": SESSION, "userId": "u-1", "appId": "shop", "events": EVENTS}),
        ("objects.json", [{"sessionId": SESSION, "events": EVENTS[:9]}, {"sessionId": SESSION, "events": EVENTS[9:]}]),
        ("lines.ndjson", lines(EVENTS)),
        ("lines.jsonl", lines(EVENTS).replace(b"\n", b"\r\n\r\n")),
        (
            "objects.ndjson",
            lines([{"sessionId": SESSION, "events": EVENTS[:9]}, {"sessionId": SESSION, "events": EVENTS[9:]}]),
        ),
        ("arrays.ndjson", lines([EVENTS[:9], EVENTS[9:]])),
        ("array.json.gz", EVENTS),
        ("lines.ndjson.gz", lines(EVENTS)),
        ("bom.json", b"\xef\xbb\xbf" + json.dumps(EVENTS).encode()),
    ],
)
async def test_every_kind_of_file_is_stored_once(
    tmp_path: Path, run: Run, database: Database, name: str, content: Any
) -> None:
    path = write(tmp_path, content, name)
    stored = await run(path)
    session = stored[0].session_id
    assert {line.session_id for line in stored} == {session}
    assert (session == UUID(SESSION)) == ("object" in name or name in ("late.json", "snake.json"))
    assert sum(line.stored for line in stored) == len(EVENTS)
    again = await run(path)
    assert [(line.session_id, line.stored) for line in again] == [(line.session_id, 0) for line in stored]
    assert sum(line.repeated for line in again) == len(EVENTS)
    assert await recorded_events(database, session) == EVENTS
    found = await sessions.get_session(database.pool, 1, session)
    assert (found.recorded_event_count, found.click_count, found.page_count) == (30, 28, 1)
    assert (found.is_bot, found.is_active, found.ended_at) == (False, False, None)
    assert found.page_url == "https://shop.example/cart?x=1"
    if name == "snake.json":
        assert (found.user_id, found.app_id) == ("u-1", "shop")


async def test_what_else_an_object_tells_becomes_metadata_or_is_named(
    tmp_path: Path, run: Run, database: Database
) -> None:
    large = [{"x": "y" * 40_000}]
    path = write(tmp_path, {"plan": "pro", "errors": large, "events": EVENTS, "n": 1})
    (line,) = await run(path)
    assert line.left_out == ["errors"]
    found = await sessions.get_session(database.pool, 1, line.session_id)
    assert json.loads(bytes(found.metadata)) == {"plan": "pro", "n": 1}


async def test_sessions_of_any_name_and_of_another_project(tmp_path: Path, run: Run, database: Database) -> None:
    project = await make_project(database.pool, "shop")
    path = write(
        tmp_path, lines([{"sessionId": "visit 7", "events": EVENTS}, {"sessionId": "visit 8", "events": EVENTS}])
    )
    stored = await run(path, project=project)
    assert len({line.session_id for line in stored}) == 2
    for line, name in zip(stored, ("visit 7", "visit 8"), strict=True):
        found = await sessions.get_session(database.pool, project, line.session_id)
        assert found.client_session_id == name
    with pytest.raises(Invalid, match="holds 2 sessions"):
        await run(path, session="one")


async def test_pieces_of_one_session_may_lie_in_several_files(tmp_path: Path, run: Run, database: Database) -> None:
    paths = [write(tmp_path, EVENTS[:10], "1.json"), write(tmp_path, EVENTS[10:], "2.json")]
    stored = await run(*paths, session="whole")
    assert {line.session_id for line in stored} == {stored[0].session_id}
    assert await recorded_events(database, stored[0].session_id) == EVENTS


async def test_a_large_recording_is_stored_in_batches_and_the_rest_of_one_that_was_cut_off(
    tmp_path: Path, run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = recording(2_500)
    long[1]["data"]["node"]["text"] = "x" * 3_000_000  # one event larger than a batch
    path = write(tmp_path, long)
    with monkeypatch.context() as patch:
        made = batches.Batcher.finish
        calls = 0

        def cut(batcher: batches.Batcher) -> Any:
            nonlocal calls
            calls += 1
            if calls > 3:
                raise KeyboardInterrupt
            return made(batcher)

        patch.setattr(batches.Batcher, "finish", cut)
        with pytest.raises(BaseException):  # noqa: B017, PT011 — a signal, or what the thread makes of it
            await run(path)
    (line,) = await run(path)
    assert line.repeated > 0
    assert line.stored + line.repeated == 2_500
    assert await recorded_events(database, line.session_id) == long
    rows = await database.pool.fetchval("select count(*) from tracker.recordings")
    assert rows == 5  # the page; the large one; three of up to 1,000


async def test_equal_batches_of_one_recording_are_all_stored(tmp_path: Path, run: Run, database: Database) -> None:
    same = [click(BASE)] * 2_000
    (line,) = await run(write(tmp_path, same))
    assert len(await recorded_events(database, line.session_id)) == 2_000
    assert (await run(write(tmp_path, same)))[0].stored == 0


@pytest.mark.parametrize("days", [8, 20, 29])
async def test_data_before_the_late_window_keeps_its_times_and_is_counted_in_its_hours(
    tmp_path: Path, run: Run, database: Database, days: int
) -> None:
    start = BASE - days * 86_400_000
    old = recording(30, start)
    (line,) = await run(write(tmp_path, old))
    found = await sessions.get_session(database.pool, 1, line.session_id)
    assert found.started_at == found.first_at == datetime.fromtimestamp(start / 1000, UTC)
    assert found.last_activity_at == found.last_at
    listed = await events.list_events(database.pool, 1, line.session_id)
    assert [event.timestamp for event in listed.data][:2] == [found.started_at, found.started_at + timedelta(seconds=1)]
    assert not any(event.event_data and b"$client_timestamp" in bytes(event.event_data) for event in listed.data)
    assert await recorded_events(database, line.session_id) == old
    await refresh_events(database.maintained)
    await refresh_sessions(database.maintained)
    counted = "select sum(count)::int from tracker.events_hourly where bucket < now() - interval '7 days'"
    assert await database.pool.fetchval(counted) == listed.total == 29
    assert await database.pool.fetchval("select sum(sessions)::int from tracker.sessions_hourly") == 1


@pytest.mark.tiers("timescale")
async def test_old_data_goes_into_a_compressed_chunk(tmp_path: Path, run: Run, database: Database) -> None:
    start = BASE - 20 * 86_400_000
    first, second = recording(30, start), recording(30, start + 60_000)
    (one,) = await run(write(tmp_path, first, "1.json"))
    await database.pool.execute(
        "select compress_chunk(c) from show_chunks('tracker.events', older_than => interval '10 days') c"
    )
    (two,) = await run(write(tmp_path, second, "2.json"))
    for line in (one, two):
        assert (await events.list_events(database.pool, 1, line.session_id)).total == 29
    await refresh_events(database.maintained)
    assert await database.pool.fetchval("select sum(count)::int from tracker.events_hourly") == 58


async def test_data_past_retention_is_refused_and_moved_on_request(
    tmp_path: Path, run: Run, database: Database
) -> None:
    start = BASE - 700 * 86_400_000
    old, older = recording(30, start), recording(30, start - 5 * 86_400_000)
    path = write(tmp_path, lines([{"sessionId": "a", "events": old}, {"sessionId": "b", "events": older}]))
    with pytest.raises(Invalid, match=r"recording.json, line 1, byte 1: .* 700 days ago.*30 days.*--shift"):
        await run(path)
    assert await database.pool.fetchval("select count(*) from tracker.sessions") == 0

    stored = await run(path, shift=True)
    assert {line.moved_days for line in stored} == {700}
    moved = [{**event, "timestamp": event["timestamp"] + 700 * 86_400_000} for event in old]
    assert await recorded_events(database, stored[0].session_id) == moved
    found = await sessions.get_session(database.pool, 1, stored[0].session_id)
    assert now() - DAY < found.started_at <= now()
    assert sum(line.stored for line in await run(path, shift=True)) == 0

    ages = [recording(30, start), recording(30, start - 40 * 86_400_000)]
    path = write(tmp_path, lines([{"events": each} for each in ages]), "span.ndjson")
    with pytest.raises(Invalid, match=r"line 2.* begins 40 days before the newest"):
        await run(path, shift=True)


async def test_the_unit_of_a_moved_time_is_milliseconds(tmp_path: Path, run: Run, database: Database) -> None:
    start = BASE - 100 * 86_400_000
    seconds = [{**meta(start), "timestamp": start / 1000}, {**click(start), "timestamp": "2026-01-01T00:00:00.5Z"}]
    seconds[1]["timestamp"] = datetime.fromtimestamp(start / 1000 + 1, UTC).isoformat()
    (line,) = await run(write(tmp_path, seconds), shift=True)
    assert [it["timestamp"] for it in await recorded_events(database, line.session_id)] == [BASE, BASE + 1000]


async def test_data_from_the_future_is_refused(tmp_path: Path, run: Run) -> None:
    with pytest.raises(Invalid, match=r"24 hours from now.*--shift"):
        await run(write(tmp_path, recording(3, BASE + 3 * 86_400_000)))


async def test_odd_values_cost_no_event_and_are_kept(tmp_path: Path, run: Run, database: Database) -> None:
    moment = datetime.fromtimestamp(BASE / 1000, UTC).isoformat()
    session = {
        "session_id": SESSION,
        **dict.fromkeys(("started_at", "first_at", "last_at", "last_activity_at"), moment),
    }
    odd = {"user_id": 5, "screen_width": "wide", "ttl_hours": None, "metadata": {"plan": "pro"}}
    event = {"timestamp": BASE, "event_type": 7, "page_url": "https://a.example/", "viewport_x": "12"}
    document = {
        "session": {**session, **odd},
        "track_events": [{**event, "target_class": {"a": 1}, "event_data": {"b": 2}}],
    }
    (line,) = await run(write(tmp_path, document))
    found = await sessions.get_session(database.pool, 1, line.session_id)
    assert (found.user_id, found.screen_width) == ("5", None)
    assert json.loads(bytes(found.metadata)) == {"plan": "pro", "screen_width": "wide"}
    (stored,) = (await events.list_events(database.pool, 1, line.session_id)).data
    assert (stored.event_type, stored.viewport_x, stored.target_class) == ("7", 12, None)
    assert json.loads(bytes(stored.event_data or b"")) == {"b": 2, "target_class": {"a": 1}}


async def test_numbers_name_a_session_and_its_user(tmp_path: Path, run: Run, database: Database) -> None:
    (line,) = await run(write(tmp_path, {"sessionId": 7, "userId": 5, "events": EVENTS}))
    found = await sessions.get_session(database.pool, 1, line.session_id)
    assert (found.client_session_id, found.user_id) == ("7", "5")


@pytest.mark.parametrize(
    ("content", "place", "reason"),
    [
        (b"", "", "holds no rrweb events"),
        (b"[]", "", "holds no rrweb events"),
        (b'{"events": []}', "", "holds no rrweb events"),
        (b"not JSON", "line 1, byte 1", "an rrweb event is missing"),
        (b"[1]", "line 1, byte 2", "an rrweb event is missing"),
        (lines(EVENTS) + b'{"type": 3}\n', "line 31, byte", "`timestamp`"),
        (lines(EVENTS) + b'{"type": 3, "timestamp": "soon"}\n', "line 31, byte", "'soon'"),
        (lines(EVENTS) + b'{"type": 3, "timestamp": nan}\n', "line 31, byte", "not a valid rrweb event"),
        (b'[\n{"type": 3, "timestamp": 1767225600000},\n{"type": 3,', "line 3, byte", "ends"),
        (b'{"sessionId": [], "events": [{"timestamp": 1767225600000}]}', "byte 15", "session id"),
        pytest.param(b'{"sessionId": "", "events": [{"timestamp": %d}]}' % BASE, "line 1", "1 to 200", id="empty-id"),
        (b'[{"timestamp": 1e300}]', "line 1, byte 2", "s after 1970"),
        (b'{"a": 1} x', "line 1", "missing"),
    ],
)
async def test_what_cannot_be_stored_is_refused_with_its_place_before_anything_is(
    tmp_path: Path, run: Run, database: Database, content: bytes, place: str, reason: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await run(write(tmp_path, EVENTS, "good.json"), write(tmp_path, content, "bad.json"))
    assert "bad.json" in str(refused.value)
    assert place in str(refused.value)
    assert reason in str(refused.value)
    assert await database.pool.fetchval("select count(*) from tracker.sessions") == 0


async def test_packed_events_deep_pages_and_binary_data_are_imported(
    tmp_path: Path, run: Run, database: Database
) -> None:
    node: Any = {"id": 2}
    for _ in range(900):
        node = {"childNodes": [node]}
    deep = {"type": 2, "data": {"node": node, "binary": "\0\x1f"}, "timestamp": BASE + 1}
    packed = zlib.compress(json.dumps({**meta(), "v": "v1"}).encode(), 0).decode("latin-1")
    seconds = {**click(BASE + 5), "timestamp": (BASE + 5) / 1000}
    sent = [packed, deep, seconds]
    for number, content in enumerate((sent, {"sessionId": "s-1", "events": sent})):
        (result,) = await run(write(tmp_path, content, f"{number}.json"))
        assert await recorded_events(database, result.session_id) == [meta(), deep, click(BASE + 5)]


async def test_a_broken_gzip_and_a_missing_file_are_named(tmp_path: Path, run: Run) -> None:
    path = write(tmp_path, recording(2_000), "cut.json.gz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(Invalid, match=r"cut.json.gz is broken gzip"):
        await run(path)
    with pytest.raises(Invalid, match=r"nowhere.json cannot be read: No such file"):
        await run(tmp_path / "nowhere.json")


async def test_an_event_larger_than_the_limit_is_refused(tmp_path: Path, run: Run, settings: Settings) -> None:
    big = {"type": 2, "data": "x" * settings.max_recording, "timestamp": BASE}
    with pytest.raises(Invalid, match=r"line 1, byte 2: this rrweb event has \d+ bytes, more than 10747904"):
        await run(write(tmp_path, [big]))


async def test_text_that_postgresql_cannot_hold_is_replaced(tmp_path: Path, run: Run, database: Database) -> None:
    path = write(tmp_path, b'[{"type":3,"data":"a\\u0000\\ud800b","timestamp":%d}]' % BASE)
    (line,) = await run(path)
    assert (await recorded_events(database, line.session_id))[0]["data"] == "a\0\ufffdb"
