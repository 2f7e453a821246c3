"""The logs of the embedded server: start.log (until its log collector runs) and one file per weekday."""

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 32 * 1024 * 1024  # per file; PostgreSQL limits the number of files, not their size


def bound_logs(log: Path) -> None:
    """Truncate log files that are too large. Called at each start."""
    for path in log.glob("*.log"):
        with contextlib.suppress(OSError), _open(path, os.O_RDWR) as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                os.ftruncate(file.fileno(), 0)


def log_tail(log: Path, lines: int = 15) -> str:
    """Return the last lines since the start for an error message; empty if there are none."""
    parts: list[str] = []
    start = log / "start.log"
    began = start.stat().st_mtime if start.exists() else 0.0
    newer = [path for path in log.glob("postgres-*.log") if path.stat().st_mtime >= began]
    for path in (start, *newer):
        with contextlib.suppress(OSError), _open(path, os.O_RDONLY) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            parts += file.read().decode("utf-8", "replace").splitlines()[-lines:]
    return "\n".join(parts)


def _open(path: Path, flags: int) -> BinaryIO:
    """Open without following links: the folder belongs to the user that runs PostgreSQL, and we may be root."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a file")
    return os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "rb")
