"""The command `tracker-backend` in processes that start fast, for tests that run many commands.

An import of the program takes longer than most commands. So one process imports it, and forks for each command that a
test runs: `Commands.program` is a small script that sends its arguments, folder, environment and standard files to
that process, passes on signals, and ends with the status of the fork. Tests of the process itself (signals that kill,
workers, what a wheel installs) run the real program.
"""

import contextlib
import importlib
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from types import TracebackType
from typing import Self

_CLIENT = """#!{python} -IS
import os, signal, socket, sys

server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
environ = [f"{{name}}={{value}}" for name, value in os.environ.items()]
words = [os.getcwd(), str(len(sys.argv) - 1), *sys.argv[1:], *environ]
socket.send_fds(server, [b"."], [0, 1, 2])
server.sendall(os.fsencode("\\0".join(words)))
server.shutdown(socket.SHUT_WR)
child = int(server.recv(10, socket.MSG_WAITALL))
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(child, number))
sys.exit(int(server.recv(10) or b"70"))
"""


class Commands:
    """The process that forks; `program` stands for `tracker-backend` while it runs."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tracker-commands-")
        folder = Path(self._folder.name)
        folder.chmod(0o755)  # as tests run commands as other users, too
        address = folder / "socket"
        self.program = folder / "tracker-backend"
        self.program.write_text(_CLIENT.format(python=sys.executable, address=str(address)), "utf-8")
        self.program.chmod(0o755)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.commands", address],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"ready\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # it ends with its stdin
        self._folder.cleanup()


def _serve(address: str) -> None:
    importlib.import_module("tracker_backend.cli").build_parser()  # what the forks need not load again
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        print("ready", flush=True)
        while sys.stdin not in select.select([listening, sys.stdin], [], [])[0]:
            client, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _run(client)
            client.close()


def _run(client: socket.socket) -> None:
    """Runs the command of a client and ends this process."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, files, _, _ = socket.recv_fds(client, 1, 3)
    sent = b"".join(iter(lambda: client.recv(65536), b""))
    client.send(b"%10d" % os.getpid())
    folder, count, *words = os.fsdecode(sent).split("\0")
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    for word in words[int(count) :]:
        name, _, os.environ[name] = word.partition("=")
    sys.argv = ["tracker-backend", *words[: int(count)]]
    status = _main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    client.send(b"%d" % status)
    os._exit(status)


def _main() -> int:
    from tracker_backend.cli import main

    try:
        main()
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
            return 1
        return end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    _serve(sys.argv[1])
