"""Sessions leave at the end of their time to live, into the archive where there is one."""

import asyncio
import gzip
import json
import logging
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.conformance.conftest import maintained
from tests.conformance.hourly import wrong_event_hours, wrong_session_hours
from tests.conformance.test_erase import rows_of
from tests.conformance.visits import DAY, HOUR, batch, clicks, microseconds, now, visit
from tracker_backend import archive
from tracker_backend.accounts.project_settings import Masking
from tracker_backend.errors import SettingsError
from tracker_backend.importing.run import import_files
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance import session_expiry
from tracker_backend.maintenance.tasks import refresh_events, refresh_sessions
from tracker_backend.privacy.session_erasure import RemovedRows
from tracker_backend.queries import sessions
from tracker_backend.recordings import replay
from tracker_backend.recordings.reading import read_recording
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.store import Store


async def old(pipeline: Pipeline, *, days: float = 4, ttl: int | None = 72) -> UUID:
    """A session that was last heard of so many days ago."""
    moment = now() - days * DAY
    session = await visit(
        pipeline,
        clicks(moment, 5),
        fields=SessionFields(ttl_hours=ttl, app_id="shop"),
        received=moment,
    )
    recorded = batch(session=session, received=moment)
    start = microseconds(moment) // 1000
    events = [{"type": 4, "data": {"href": "https://shop.example/"}, "timestamp": start}] + [
        {"type": 3, "data": {"n": n}, "timestamp": start + n} for n in range(50)
    ]
    recorded.recording = read_recording(msgspec.json.encode(events), 10_000_000, Masking())
    await pipeline.submit(recorded)
    return session


def archiving(database: Database, folder: Path) -> Store:
    """The store of a server with an archive."""
    return maintained(database, Settings(archive_dir=folder))


async def recorded_events(database: Database, session: UUID) -> list[Any]:
    """The events of a stored recording."""
    parts = replay.json_text(replay.replay(database.pool, 1, session))
    return json.loads(b"".join([part async for part in parts]))


async def left(database: Database) -> set[UUID]:
    """The sessions that are there."""
    return {row[0] for row in await database.pool.fetch("select session_id from tracker.sessions")}


async def test_sessions_past_their_time_to_live_are_removed_and_no_others(
    database: Database, pipeline: Pipeline
) -> None:
    gone = [await old(pipeline), await old(pipeline, days=3.1), await old(pipeline, days=1, ttl=1)]
    kept = {await old(pipeline, days=2.9), await old(pipeline, days=6, ttl=None), await old(pipeline, days=0.1)}
    assert await session_expiry.expire_sessions(database.maintained) == 3
    assert await left(database) == kept
    for session in gone:
        assert set((await rows_of(database, session)).values()) == {0}
    assert await database.pool.fetchval("select sum(sessions)::int from tracker.session_totals") == 3
    assert await session_expiry.expire_sessions(database.maintained) == 0
    await refresh_events(database.maintained)
    await refresh_sessions(database.maintained)
    assert await wrong_event_hours(database.pool) == []
    assert await wrong_session_hours(database.pool) == []


async def test_more_sessions_than_a_page_are_removed(
    database: Database, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_expiry, "_PAGE", 3)
    for _ in range(10):
        await old(pipeline)
    assert await session_expiry.expire_sessions(database.maintained) == 10
    assert await left(database) == set()


async def test_a_session_is_archived_and_comes_back_as_it_was(
    settings: Settings, database: Database, pipeline: Pipeline, tmp_path: Path
) -> None:
    session = await old(pipeline)
    recorded, rows = await recorded_events(database, session), await rows_of(database, session)
    before = await sessions.get_session(database.pool, 1, session)
    folder = tmp_path / "made" / "for it"
    assert await session_expiry.expire_sessions(archiving(database, folder)) == 1
    assert await left(database) == set()
    path = folder / "1" / f"{session}.json.gz"
    assert [it.name for it in path.parent.iterdir()] == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    exported = json.loads(gzip.decompress(path.read_bytes()))
    assert exported["session"]["session_id"] == str(session)
    assert exported["events"] == recorded

    (line,) = await import_files(settings, database, 1, [path])
    assert line.session_id == session
    assert await recorded_events(database, session) == recorded
    back = await rows_of(database, session)
    assert {name: back[name] for name in ("events", "recordings")} == {
        name: rows[name] for name in ("events", "recordings")
    }
    after = await sessions.get_session(database.pool, 1, session)
    for name in ("started_at", "first_at", "last_at", "last_activity_at", "app_id", "event_count", "page_count"):
        assert getattr(after, name) == getattr(before, name), name
    assert await session_expiry.expire_sessions(archiving(database, folder)) == 0, "it lives anew"


async def test_a_crash_between_archive_and_removal_is_made_good_by_the_next_run(
    database: Database, pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await old(pipeline)

    publish = archive.UnpublishedFile.publish

    def crash(part: archive.UnpublishedFile) -> None:
        publish(part)
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(archive.UnpublishedFile, "publish", crash)
        with pytest.raises(ConnectionResetError):
            await session_expiry.expire_sessions(archiving(database, tmp_path))
    path = tmp_path / "1" / f"{session}.json.gz"
    first = gzip.decompress(path.read_bytes())
    assert await left(database) == {session}
    assert await session_expiry.expire_sessions(archiving(database, tmp_path)) == 1
    assert [it.name for it in path.parent.iterdir()] == [path.name]
    assert gzip.decompress(path.read_bytes()) == first
    assert await left(database) == set()


async def test_a_crash_while_a_file_is_written_leaves_no_half_archive(
    database: Database, pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise ConnectionResetError

    def nothing(*_: object, **__: object) -> None:
        pass

    session = await old(pipeline)
    with monkeypatch.context() as patch:
        patch.setattr(archive, "_publish", killed)
        patch.setattr(Path, "unlink", nothing)  # nobody cleans up
        with pytest.raises(ConnectionResetError):
            await session_expiry.expire_sessions(archiving(database, tmp_path))
    (part,) = (tmp_path / "1").iterdir()
    assert part.suffix == ".part"
    assert await session_expiry.expire_sessions(archiving(database, tmp_path)) == 1
    assert [it.name for it in (tmp_path / "1").iterdir()] == [f"{session}.json.gz"]


@pytest.mark.parametrize("archived", [False, True])
async def test_a_session_that_is_active_again_meanwhile_is_kept(
    database: Database, pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archived: bool
) -> None:
    session, other = await old(pipeline), await old(pipeline, days=3.5)
    erase = session_expiry.erase_session

    async def late(*arguments: Any) -> RemovedRows | None:
        if arguments[3] == session:
            await visit(pipeline, clicks(now(), 1), session=session)
        return await erase(*arguments)

    monkeypatch.setattr(session_expiry, "erase_session", late)
    store = archiving(database, tmp_path) if archived else database.maintained
    assert await session_expiry.expire_sessions(store) == 1
    assert await left(database) == {session}
    assert (await rows_of(database, session))["events"] == 7
    assert (await rows_of(database, other))["events"] == 0


async def test_a_batch_that_waits_for_the_removal_begins_the_session_anew(
    database: Database, pipeline: Pipeline
) -> None:
    session = await old(pipeline)
    done, outcome = await asyncio.gather(
        session_expiry.expire_sessions(database.maintained), pipeline.submit(batch(clicks(now(), 3), session=session))
    )
    assert await left(database) == {session}, "never lost: the batch came before, or after"
    assert (await rows_of(database, session))["events"] == (3 if done else 9)
    assert outcome.created == bool(done)


async def test_a_session_begun_anew_does_not_replace_the_archived_one(
    database: Database, pipeline: Pipeline, tmp_path: Path
) -> None:
    session = uuid4()
    for days in (6, 5, 4):
        moment = now() - days * DAY
        await visit(pipeline, clicks(moment, days), session=session, fields=SessionFields(ttl_hours=1), received=moment)
        assert await session_expiry.expire_sessions(archiving(database, tmp_path)) == 1
    files = sorted((tmp_path / "1").iterdir(), key=lambda it: it.name)
    assert {it.name for it in files} == {f"{session}.json.gz", f"{session}.2.json.gz", f"{session}.3.json.gz"}
    counts = [len(json.loads(gzip.decompress(it.read_bytes()))["track_events"]) for it in files]
    assert sorted(counts) == [4, 5, 6]


async def test_what_cannot_be_archived_is_kept_and_the_others_are_not_held_up(
    database: Database, pipeline: Pipeline, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = await old(pipeline, days=5), await old(pipeline, days=4)
    await database.pool.execute("update tracker.recordings set data = 'x' where session_id = $1", broken)
    with caplog.at_level(logging.ERROR), pytest.raises(Exception, match=r"."):
        await session_expiry.expire_sessions(archiving(database, tmp_path))
    assert str(broken) in caplog.text
    assert await left(database) == {broken}
    assert [it.name for it in (tmp_path / "1").iterdir()] == [f"{whole}.json.gz"]


async def test_a_folder_that_cannot_be_written_to_is_told_and_nothing_is_removed(
    database: Database, pipeline: Pipeline, tmp_path: Path
) -> None:
    session = await old(pipeline)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(SettingsError, match="TRACKER_ARCHIVE_DIR"):
        await session_expiry.expire_sessions(archiving(database, tmp_path / "file"))
    assert await left(database) == {session}


async def test_activity_moves_the_end_of_a_session(database: Database, pipeline: Pipeline) -> None:
    session = await old(pipeline)
    await visit(pipeline, clicks(now(), 1), session=session)
    found = await sessions.get_session(database.pool, 1, session)
    assert found.expires_at is not None
    assert found.expires_at - now() > timedelta(hours=71)
    assert await session_expiry.expire_sessions(database.maintained) == 0
    assert found.expires_at - found.started_at > HOUR
