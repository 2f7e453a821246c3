"""What was erased is not imported again by mistake, and comes back where that is wanted."""

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID, uuid4

import pytest

from tests.commands import Commands
from tests.conformance.visits import batch, clicks, now
from tests.importing.conftest import Run, recording
from tests.importing.test_round_trip import FIELDS, fill, text_of, without_ids
from tracker_backend.errors import Invalid
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.privacy import erasures
from tracker_backend.storage.database import Database


class Command(Protocol):
    """Runs a command of the command line."""

    def __call__(self, *arguments: str, typed: str | None = None) -> subprocess.CompletedProcess[str]: ...


async def erase(database: Database, user: str) -> UUID:
    """Erases a visitor."""
    place = erasures.context_of(database.maintained)
    erasure_id = await erasures.request_erasure(place, 1, "user", user, "local", "visitor erased")
    await erasures.run_erasure(place, erasure_id)
    return erasure_id


async def test_an_erased_session_is_imported_only_where_that_is_said(
    database: Database, pipeline: Pipeline, run: Run, tmp_path: Path
) -> None:
    session, user = uuid4(), FIELDS.user_id
    assert user is not None
    await fill(pipeline, session, fields=SessionFields(user_id=user))
    before = await text_of(database, session)
    path = tmp_path / "session.json"
    path.write_bytes(before)
    other = tmp_path / "other.json"
    other.write_text(json.dumps(recording()))
    await erase(database, user)
    for options in ({}, {"session": "copy"}):
        with pytest.raises(Invalid, match=r"session .* was erased: give --erased"):
            await run(other, path, **options)
    assert await database.pool.fetchval("select count(*) from tracker.sessions") == 0, "nothing of any file"

    (line,) = await run(path, erased=True)
    assert line.session_id == session
    assert without_ids(await text_of(database, session)) == without_ids(before)
    again = await pipeline.submit(batch(clicks(now(), 1), session=session, fields=SessionFields(user_id=user)))
    assert again.is_new


async def test_a_session_without_a_user_is_known_by_its_id(
    database: Database, pipeline: Pipeline, run: Run, tmp_path: Path
) -> None:
    session = uuid4()
    await fill(pipeline, session)
    path = tmp_path / "session.json"
    path.write_bytes(await text_of(database, session))
    place = erasures.context_of(database.maintained)
    erasure_id = await erasures.request_erasure(place, 1, "session", str(session), "local", "visitor erased")
    await erasures.run_erasure(place, erasure_id)
    with pytest.raises(Invalid, match=f"session {session} was erased"):
        await run(path)
    (line,) = await run(path, session="copy")
    assert line.stored == 264


@pytest.fixture
def command(dsn: str, tmp_path: Path, commands: Commands) -> Command:
    """Runs a command in a folder of its own; `typed` is what stands in its terminal."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "DATABASE_"))}
    environ = {**clean, "DATABASE_URL": dsn, "TRACKER_DATA_DIR": str(tmp_path / "data")}

    def run_command(*arguments: str, typed: str | None = None) -> subprocess.CompletedProcess[str]:
        ours, theirs = pty.openpty()
        try:
            os.write(ours, (typed or "").encode())
            return subprocess.run(
                [commands.program, *arguments, "--json"],
                env=environ,
                cwd=tmp_path,
                stdin=subprocess.DEVNULL if typed is None else theirs,
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            os.close(ours)
            os.close(theirs)

    return run_command


def test_a_visitor_is_exported_erased_and_checked_by_commands(tmp_path: Path, command: Command) -> None:
    def answer(*arguments: str) -> Any:
        done = command(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    whole = {"sessionId": "visit 1", "userId": "ann/1", "events": recording()}
    (tmp_path / "recording.json").write_text(json.dumps(whole))
    (line,) = answer("import", "recording.json")
    assert answer("visitor", "export", "ann/1", "ann.ndjson") == {"file": "ann.ndjson", "sessions": 1}
    assert (tmp_path / "ann.ndjson").stat().st_mode & 0o777 == 0o600
    receipt = answer("visitor", "erase", "ann/1")
    assert (receipt["actor"], receipt["removed"]["sessions"]) == ("command line", 1)
    checked = answer("visitor", "check", receipt["erasure_id"], "ann/1")
    assert (checked["is_clean"], set(checked["left"].values())) == (True, {0})
    assert command("visitor", "export", "ann/1", "again.ndjson").returncode == 1
    refused = command("import", "ann.ndjson")
    assert refused.returncode == 1
    assert "--erased" in refused.stderr
    assert answer("import", "ann.ndjson", "--erased")[0]["session_id"] == line["session_id"]
    by_session = answer("visitor", "erase", "--session", "visit 1")
    assert (by_session["subject"], by_session["removed"]["sessions"]) == ("session", 1)
    refused = command("visitor", "check", receipt["erasure_id"], "bob")
    assert "was not of this user" in refused.stderr


@pytest.mark.parametrize("given", [("customer-71",), ("--session", "visit 2")])
def test_an_id_of_which_nothing_is_stored_is_asked_about_before_it_is_erased(
    command: Command, given: tuple[str, ...]
) -> None:
    """It may be misspelled: the receipt would say that a visitor is erased who is not."""
    for typed in (None, "\n", "n\n"):
        refused = command("visitor", "erase", *given, typed=typed)
        assert refused.returncode == 1
        assert f"{given[-1]!r}" in refused.stderr
        assert "nothing was erased" in refused.stderr
        assert "--yes" in refused.stderr
    for done in (command("visitor", "erase", *given, typed="y\n"), command("visitor", "erase", *given, "--yes")):
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["removed"].get("sessions", 0) == 0
