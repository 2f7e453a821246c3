"""The server as a process of its own, started by tests and ended by them."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

_PROGRAM = (sys.executable, "-m", "tracker_backend")


class Running:
    """`tracker-backend serve --json`, ready when it is made; ends with SIGTERM on leaving, however the test went.

    `program` is what runs instead of `python -m tracker_backend`, such as that of `Commands`.
    """

    def __init__(self, *arguments: str, program: Sequence[str | Path] = _PROGRAM, **environ: str) -> None:
        assert all(map(str.isupper, environ)), f"{sorted(environ)} are to be environment variables"
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 — `end` closes it
        self._folder = tempfile.TemporaryDirectory(prefix="tracker-running-")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "DATABASE_"))}
        self.process = subprocess.Popen(
            [*program, "serve", "--json", *arguments],
            env={
                **clean,
                "PORT": "0",
                "TRACKER_LIMIT_KEYLESS": "0",
                "TRACKER_DATA_DIR": self._folder.name,
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=self._errors,  # a file: nobody reads along, and a full pipe would stop the server
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.values: dict[str, Any] = msgspec.json.decode(line) if line else {}
        if not self.values:
            raise ServeError(self.end())

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.values["url"]

    def end(self, number: int = signal.SIGTERM) -> str:
        """Ends it with a signal and returns what it wrote to stderr."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        if self._errors.closed:
            return ""  # it has ended before
        self.process.communicate()
        self._folder.cleanup()
        with self._errors as errors:
            errors.seek(0)
            return errors.read().decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()


class ServeError(Exception):
    """The server did not start; the message is what it wrote to stderr."""
