"""The server under test as a process of its own, and what memory it and PostgreSQL take."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import msgspec
import psutil

MIB = 1024 * 1024


@contextmanager
def server(dsn: str, workers: int = 1, **settings: str) -> Generator[tuple[str, int, psutil.Process]]:
    """A running server on the database: host, port, process."""
    environ = {
        **os.environ,
        "DATABASE_URL": dsn,
        "PORT": "0",
        "TRACKER_WORKERS": str(workers),
        "TRACKER_LIMIT_KEYLESS": "0",
        "TRACKER_LOG_LEVEL": "warning",
        **settings,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tracker_backend", "serve", "--json"], env=environ, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        url = urlsplit(msgspec.json.decode(process.stdout.readline())["url"])
        yield str(url.hostname), int(url.port or 0), psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def memory(process: psutil.Process) -> int:
    """Bytes that a process and its children hold, shared pages counted once (PSS)."""
    family = [process, *process.children(recursive=True)]
    return sum(member.memory_full_info().pss for member in family)
