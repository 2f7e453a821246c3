"""The checkout, and programs run on it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


def attempt(
    *command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end, with nothing on its standard input."""
    return subprocess.run(
        command, check=False, text=True, capture_output=True, stdin=subprocess.DEVNULL, cwd=cwd, env=env
    )


def run(*command: str | Path, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> str:
    """What a command printed; shows everything that it said when it fails."""
    done = attempt(*command, cwd=cwd, env=env)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
