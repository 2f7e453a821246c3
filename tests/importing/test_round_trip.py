"""An export holds everything of its session: erased and imported, the session is the same."""

import asyncio
import base64
import gzip
import io
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image as Pillow

from tests.commands import Commands
from tests.conformance.visits import DAY, batch, microseconds, now
from tests.conftest import Server
from tests.importing.conftest import BASE, Run, recording
from tests.projects import make_project
from tracker_backend.accounts.project_settings import Masking
from tracker_backend.errors import Invalid
from tracker_backend.event import Event
from tracker_backend.importing.run import import_files
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.queries import export, sessions
from tracker_backend.recordings.reading import read_recording
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.times import to_datetime

SETTINGS = Settings(pool_min=1, pool_max=8)
_GIVEN_ANEW = {"event_id", "screenshot_id"}


def picture(colour: str) -> str:
    """An image as a `data:` URL."""
    out = io.BytesIO()
    Pillow.new("RGB", (40, 30), colour).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


async def text_of(database: Database, session: UUID, form: export.Format = "json", project: int = 1) -> bytes:
    """The export of a session."""
    found = await sessions.get_session(database.pool, project, session)
    return b"".join([text async for text in export.export_session(database.pool, project, found, form)])


def without_ids(text: bytes) -> Any:
    """What an export tells, but for the ids that rows get when they are written."""
    exported = json.loads(text)
    for name in ("track_events", "screenshots"):
        exported[name] = [
            {key: value for key, value in row.items() if key not in _GIVEN_ANEW} for row in exported[name]
        ]
    return exported


async def fill(pipeline: Pipeline, session: UUID, *, ahead: int = 0, fields: SessionFields | None = None) -> None:
    """A session of all kinds of rows, of a client whose clock is `ahead` by so many seconds."""
    skew = ahead * 1_000_000
    received = now()
    start = batch(session=session, received=received - timedelta(minutes=10), fields=fields or SessionFields())
    start.session.user_agent = "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0.0.0 Safari/537.36"
    start.sent_at = start.received_at + skew
    await pipeline.submit(start)
    events: list[dict[str, Any]] = [
        {
            "timestamp": to_datetime(microseconds(received) + skew - 1000 * n - n).isoformat(),
            "event_type": kind,
            "page_url": f"https://shop.example/{n % 3}?q={n}",
            "viewport_x": n,
            "input_value": "secret" if n == 2 else None,
            "input_masked": n == 2,
            "event_data": {"n": n, "nested": [None, 1.5, {"ü": "\u2028"}]},
        }
        for n, kind in enumerate(["click", "scroll", "input", "error", "pageview", "custom"] * 30)
    ]
    for first in range(0, len(events), 50):
        await pipeline.submit(batch(events[first : first + 50], session=session, received=received))
    await pipeline.submit(
        batch([{**events[0], "event_type": "custom-spectra"}], session=session, received=received, source="spectra")
    )
    for colour, back in (("navy", 60), ("red", 50), ("navy", 40)):
        sent = ScreenshotRequest(session, "https://shop.example/", 0, picture(colour))
        shot = batch(session=session, received=received, image=await check_image(sent, SETTINGS))
        shot.times = [shot.received_at + skew - back * 1_000_000]
        await pipeline.submit(shot)
    for part in (recording(40, BASE + ahead * 1000), recording(40, BASE + 20_000 + ahead * 1000)):
        recorded = batch(session=session, received=received)
        recorded.recording = read_recording(msgspec.json.encode(part), SETTINGS.max_recording, Masking())
        await pipeline.submit(recorded)
    end = batch(session=session, received=received + timedelta(seconds=1))
    end.ended_at = end.received_at + skew
    end.client_stats = b'{"clicks": 3}'
    await pipeline.submit(end)


FIELDS = SessionFields(
    client_session_id=None,
    user_id="u-1",
    user_email="a@b.example",
    fingerprint="f",
    page_url="https://shop.example/start",
    referrer="https://search.example/",
    screen_width=800,
    screen_height=600,
    viewport_width=700,
    viewport_height=500,
    language="de",
    app_id="shop",
    ticket_id="T-1",
    ttl_hours=72,
    metadata=b'{"plan": {"name": "pro"}}',
)


@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("ahead", [0, 4000, -4000])
async def test_a_session_comes_back_as_it_was(
    database: Database, pipeline: Pipeline, run: Run, tmp_path: Path, form: export.Format, ahead: int
) -> None:
    session = uuid4()
    await fill(pipeline, session, ahead=ahead, fields=msgspec.structs.replace(FIELDS))
    before, text = await text_of(database, session), await text_of(database, session, form)
    exported = json.loads(before)
    assert exported["session"]["clock_offset_ms"] == -ahead * 1000 or not ahead
    assert len(exported["events"]) == 80
    assert len(exported["track_events"]) == 181
    assert {row["source"] for row in exported["track_events"]} == {"native", "spectra"}
    assert len({row["image_data"] for row in exported["screenshots"]}) == 2
    path = tmp_path / f"session.{form}.gz"
    path.write_bytes(gzip.compress(text))

    with pytest.raises(Invalid, match="is stored already"):
        await run(path)
    assert await text_of(database, session) == before
    assert await erase_session(database.pool, database.node, 1, session)
    (line,) = await run(path)
    assert (line.session_id, line.stored, line.repeated) == (session, 264, 0)
    assert without_ids(await text_of(database, session)) == without_ids(before)
    (line,) = await run(path)
    assert (line.stored, line.repeated) == (0, 264)
    assert without_ids(await text_of(database, session)) == without_ids(before)


@pytest.mark.parametrize("name", ["shop.ndjson", "shop.ndjson.gz"])
async def test_a_project_comes_back_as_it_was(
    database: Database, pipeline: Pipeline, run: Run, dsn: str, tmp_path: Path, commands: Commands, name: str
) -> None:
    """Its sessions, by the command that writes them all to a file."""
    made = [uuid4() for _ in range(3)]
    for session, ahead in zip(made, (0, 4000, -4000), strict=True):
        await fill(pipeline, session, ahead=ahead, fields=msgspec.structs.replace(FIELDS))
    await pipeline.submit(batch(project=await make_project(database.pool, "other")))
    before = {session: without_ids(await text_of(database, session)) for session in made}
    done = await asyncio.to_thread(
        subprocess.run,
        [commands.program, "project", "export", name, "--json"],
        env={"DATABASE_URL": dsn, "TRACKER_DATA_DIR": str(tmp_path / "data"), "PATH": os.environ["PATH"]},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    path = tmp_path / name
    assert json.loads(done.stdout) == {"file": name, "bytes": path.stat().st_size}
    assert path.stat().st_mode & 0o777 == 0o600
    for session in made:
        assert await erase_session(database.pool, database.node, 1, session)
    lines = await run(path)
    assert {line.session_id for line in lines} == set(made), "and none of another project"
    assert {session: without_ids(await text_of(database, session)) for session in made} == before
    assert [(line.stored, line.repeated) for line in await run(path)] == [(0, 264)] * 3


async def test_a_session_may_be_imported_under_another_name_and_moved(
    database: Database, pipeline: Pipeline, run: Run, tmp_path: Path
) -> None:
    session = uuid4()
    await fill(pipeline, session, fields=SessionFields(client_session_id="visit 1"))
    path = tmp_path / "session.json"
    path.write_bytes(await text_of(database, session))
    (line,) = await run(path, session="copy")
    assert line.session_id != session
    copied = json.loads(await text_of(database, line.session_id))
    original = json.loads(await text_of(database, session))
    assert copied["session"]["client_session_id"] == "copy"
    assert copied["events"] == original["events"]
    names = ("event_count", "click_count", "screenshot_count", "recorded_event_count", "duration_seconds", "started_at")
    assert [copied["session"][name] for name in names] == [original["session"][name] for name in names]

    old = json.loads(path.read_text())
    text = json.dumps(old)
    for name in ("started_at", "first_at", "last_at", "last_activity_at", "ended_at"):
        moment = msgspec.convert(old["session"][name], type=type(now())) - 400 * DAY
        text = text.replace(old["session"][name], msgspec.to_builtins(moment))
    path.write_text(text)
    with pytest.raises(Invalid, match="400 days ago"):
        await run(path, session="moved")


async def test_an_expired_session_lives_anew_from_its_import(
    database: Database, pipeline: Pipeline, run: Run, tmp_path: Path
) -> None:
    session = uuid4()
    await fill(pipeline, session, fields=SessionFields(ttl_hours=72))
    text = await text_of(database, session)
    await erase_session(database.pool, database.node, 1, session)
    exported = json.loads(text)
    names = ("started_at", "first_at", "last_at", "last_activity_at", "ended_at", "expires_at")
    for name in names:
        moment = msgspec.convert(exported["session"][name], type=type(now())) - 10 * DAY
        exported["session"][name] = msgspec.to_builtins(moment)
    exported.update(events=[], track_events=[], screenshots=[])
    path = tmp_path / "session.json"
    path.write_text(json.dumps(exported))
    await run(path)
    found = await sessions.get_session(database.pool, 1, session)
    assert found.expires_at is not None
    assert timedelta(hours=71) < found.expires_at - now() < timedelta(hours=74)
    assert not found.is_active


# One database for all examples: they have sessions of their own.
@pytest.fixture(scope="module")
def standing() -> dict[str, tuple[Database, Pipeline]]:
    return {}


@pytest.fixture
async def shared(
    standing: dict[str, tuple[Database, Pipeline]], tier: str, server: Server
) -> AsyncIterator[tuple[Database, Pipeline]]:
    if tier not in standing:
        database = await Database.open(SETTINGS, await server.database())
        standing[tier] = (database, Pipeline(SETTINGS, database.store))
    database, pipeline = standing[tier]
    pipeline.writer.start()
    yield database, pipeline
    await pipeline.writer.stop()
    await database.close()


text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e15, 1e15) | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
rrweb_event = st.fixed_dictionaries(
    {"type": st.integers(0, 9), "timestamp": st.integers(BASE, BASE + 30), "data": json_value}
)
track_event = st.fixed_dictionaries(
    {
        "timestamp": st.integers(BASE, BASE + 30),
        "event_type": st.sampled_from(["click", "error", "scroll", "pageview", "x" * 60]) | text.filter(bool),
        "page_url": st.sampled_from(["https://a.example/x?y#z", "/relative", "about:blank", "https://[bad"]),
    },
    optional={
        "event_data": json_value,
        "target_element": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=300),
        "input_value": text,
        "input_masked": st.booleans(),
        "key_pressed": st.sampled_from(["Enter", "a", "F5"]),
        "scroll_y": st.integers(-1000, 1000),
    },
)
step = st.one_of(
    st.tuples(st.just("rrweb"), st.lists(rrweb_event, min_size=1, max_size=5)),
    st.tuples(st.sampled_from(["native", "spectra", "uxcam"]), st.lists(track_event, min_size=1, max_size=5)),
    st.tuples(st.just("image"), st.tuples(st.sampled_from(["navy", "red"]), st.integers(BASE, BASE + 30))),
)


@examples(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(step, min_size=1, max_size=6), form=st.sampled_from(["json", "ndjson"]))
async def test_any_session_comes_back_as_it_was(
    shared: tuple[Database, Pipeline], steps: list[tuple[str, Any]], form: export.Format
) -> None:
    database, pipeline = shared
    session = uuid4()
    for number, (kind, content) in enumerate(steps):
        made = batch(session=session, received=now(), name=f"{number}")
        if kind == "image":
            sent = ScreenshotRequest(session, "https://a.example/", 0, picture(content[0]))
            made.image = await check_image(sent, SETTINGS)
            made.times = [content[1] * 1000]
        elif kind == "rrweb":
            made.recording = read_recording(msgspec.json.encode(content), SETTINGS.max_recording, Masking())
        else:
            made.events = msgspec.json.decode(msgspec.json.encode(content), type=list[Event])
            made.source = kind
        await pipeline.submit(made)
    before, exported = await text_of(database, session), await text_of(database, session, form)
    await erase_session(database.pool, database.node, 1, session)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "session"
        await asyncio.to_thread(path.write_bytes, exported)
        await import_files(SETTINGS, database, 1, [path])
    assert without_ids(await text_of(database, session)) == without_ids(before)
