"""The logs of an embedded server: start.log (until its collector runs) and one file a weekday."""

import contextlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 32 * 1024 * 1024  # a file; PostgreSQL itself bounds the days, not the size of one


def bound_logs(log: Path) -> None:
    """Empties log files that have grown too large; done at each start."""
    for path in log.glob("*.log"):
        with contextlib.suppress(OSError), _open(path, os.O_RDWR) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                os.ftruncate(file.fileno(), 0)


def log_tail(log: Path, lines: int = 15) -> str:
    """Returns the last lines written since the start, for an error message; empty if there are none."""
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
    """Opens without following a link: the folder belongs to the user who runs PostgreSQL, we may be root."""
    descriptor = os.open(path, flags | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a file")
    return os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "rb")
