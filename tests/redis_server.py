"""A Redis for tests, which may be killed and come back."""

import asyncio
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisAwayError

PROGRAM = shutil.which("redis-server")


class RedisServer:
    """A Redis of the test's own, on a socket."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{self._socket}"

    def _run(self) -> None:
        assert PROGRAM is not None
        options = ["--port", "0", "--unixsocket", self._socket, "--save", "", "--dir", self._socket.parent]
        self._process = subprocess.Popen([PROGRAM, *options], stdout=subprocess.DEVNULL)

    async def start(self) -> None:
        """Starts it, and waits until it answers."""
        self._run()
        async with Redis(unix_socket_path=str(self._socket)) as client:
            while True:
                with suppress(RedisAwayError):
                    await client.ping()  # pyright: ignore[reportUnknownMemberType, reportGeneralTypeIssues] — its types are partly unknown
                    return
                await asyncio.sleep(0.01)

    def pause(self) -> None:
        """Makes it answer nobody."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Has it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends it without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
