"""`tracker-backend import` as a process."""

import json
import os
import pty
import subprocess
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Commands
from tests.importing.conftest import BASE, recording

pytestmark = pytest.mark.tiers("plain")

Command = Callable[..., subprocess.CompletedProcess[str]]
SESSION = "6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11"


@pytest.fixture
def command(dsn: str, tmp_path: Path, commands: Commands) -> Command:
    """Runs an import into this test's database to its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "DATABASE_"))}
    environ = {**clean, "DATABASE_URL": dsn, "TRACKER_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "80"}

    def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [commands.program, "import", *map(str, arguments)],
            env=environ,
            capture_output="stderr" not in more,
            text=True,
            check=False,
            **more,
        )

    return run


def test_it_tells_what_it_stored(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "recording.json"
    path.write_text(json.dumps(recording()))
    done = command(path, "--session", SESSION, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    line = {"file": str(path), "session_id": SESSION, "stored": 30, "repeated": 0}
    assert json.loads(done.stdout) == [line]
    done = command(path, "--session", SESSION)
    assert done.stdout == f"file={path}  session_id={SESSION}  stored=0  repeated=30\n"
    assert done.stderr == "", "no bar where nobody looks"


def test_a_terminal_shows_a_bar(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "recording.json"
    path.write_text(json.dumps(recording(3_000)))
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    done = command(path, stderr=theirs, stdout=subprocess.PIPE)
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert done.returncode == 0, shown
    assert "storing: 100%" in shown
    assert "stored=3000" in done.stdout


def test_an_error_is_one_line_with_its_place(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "recording.json"
    path.write_text(json.dumps(recording()) + "\nno JSON\n")
    done = command(path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"tracker-backend: {path}, line 2, byte ")
    assert done.stderr.count("\n") == 1
    path.write_text(json.dumps(recording(3, BASE - 90 * 86_400_000)))
    done = command(path)
    assert "90 days ago" in done.stderr
    assert "--shift" in done.stderr
    done = command(path, "--shift", "--json")
    assert json.loads(done.stdout)[0]["moved_days"] == 90
    done = command(path, "--shift", "--project", "7")
    assert "project 7 does not exist" in done.stderr
