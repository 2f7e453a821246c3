"""Programs of Node that drive a browser and print what they saw."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any


def drive(script: Path, *arguments: str) -> Any:
    """What the driver printed. It runs once for all tests that ask for it, also where it fails: a run takes long."""
    done = _run(script, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def _run(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["node", str(script), *arguments], capture_output=True, text=True, check=False)
