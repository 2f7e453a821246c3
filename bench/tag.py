"""What the tag costs a page, in a real Chromium."""

import subprocess
from pathlib import Path

from tests.e2e.chromium import CHROMIUM
from tests.processes import Running


def measure(dsn: str, rounds: int) -> None:
    """Prints milliseconds of a page's main thread."""
    if not CHROMIUM.exists():
        print(f"tag: no Chromium at {CHROMIUM} (set CHROMIUM)")
        return
    with Running(DATABASE_URL=dsn, TRACKER_LOG_LEVEL="warning") as server:
        subprocess.run(["node", str(Path(__file__).with_suffix(".mjs")), server.url, str(rounds)], check=True)
