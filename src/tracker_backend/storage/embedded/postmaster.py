"""The server process of one data folder: find it, check it, and end the processes of a killed one."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from .config import PORT


class Postmaster(msgspec.Struct, frozen=True):
    """The content of postmaster.pid. `started_on` is the data folder that the process was started with."""

    pid: int
    started_on: Path
    socket_folder: Path | None
    status: str  # "starting", "ready", "stopping"; empty at the very beginning

    def accepts_connections(self) -> bool:
        """Return whether the server asks for a password; while it starts or stops, it answers with an error."""
        if self.status != "ready" or self.socket_folder is None:
            return False
        body = struct.pack("!i", 3 << 16) + b"user\0tracker\0database\0tracker\0\0"
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(str(self.socket_folder / f".s.PGSQL.{PORT}"))
            connection.sendall(struct.pack("!i", len(body) + 4) + body)
            return connection.recv(1) == b"R"
        return False


def name_for(data: Path) -> str:
    """Return the cluster_name of a data folder, which is in the command lines of all its processes.

    Processes are recognized by it. /proc/PID/cwd would do as well, but root without CAP_SYS_PTRACE (as in Docker)
    cannot read that of another user's process.
    """
    return "tracker-" + hashlib.sha256(os.fsencode(data)).hexdigest()[:16]


def read(data: Path) -> Postmaster | None:
    """Read postmaster.pid of a data folder; None if it does not exist or is incomplete."""
    try:
        lines = (data / "postmaster.pid").read_bytes().split(b"\n")
        pid, started_on = int(lines[0]), Path(os.fsdecode(lines[1]))
    except (FileNotFoundError, IndexError, ValueError):
        return None
    lines += [b""] * 8
    socket_folder = Path(os.fsdecode(lines[4])) if lines[4] else None
    return Postmaster(pid, started_on, socket_folder, lines[7].decode("ascii", "replace").strip())


def running(data: Path) -> Postmaster | None:
    """Return the running postmaster of a folder; None also if another process has its pid now."""
    postmaster = read(data)
    return postmaster if postmaster and name_for(data) in command_of(postmaster.pid) else None


def command_of(pid: int) -> str:
    """Return the command line of a process; empty if it has ended or is a zombie."""
    if not Path("/proc/self").exists():
        return _ps("-ww", "-o", "command=", "-p", str(pid))
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def is_postgres(command: str) -> bool:
    """Return whether a command line is that of a PostgreSQL server process."""
    return re.search(r"(^|/)(postgres|postmaster)(:? |$)", command) is not None


def end_orphans(data: Path, seconds: float = 10) -> bool:
    """End the processes of a killed postmaster, which would keep a new one from starting.

    SIGQUIT is PostgreSQL's immediate shutdown; recovery uses the write-ahead log. The log collector ends last. Returns
    whether all have ended.
    """
    for pid in _processes(name_for(data)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGQUIT)
    return wait_until(lambda: not any(_processes(name_for(data))), seconds)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Poll a condition 20 times per second, because other processes send no signal. Returns whether it holds."""
    deadline = time.monotonic() + seconds
    while not (met := condition()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return met


def _processes(name: str) -> Iterator[int]:
    if not Path("/proc/self").exists():
        table = _ps("-axww", "-o", "pid=,command=").splitlines()
        rows = [(int(pid), command) for pid, _, command in (line.strip().partition(" ") for line in table)]
    else:
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        rows = [(pid, command_of(pid)) for pid in pids]
    return (pid for pid, command in rows if name in command and is_postgres(command.strip()))


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], check=False, capture_output=True, text=True).stdout  # noqa: S603, S607
