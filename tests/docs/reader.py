"""A reader who tries the examples of a page one after the other, at a real server on a fresh database."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.docs.pages import Block
from tests.docs.shapes import differences, missing_lines
from tests.processes import Running

_DSN = re.compile(r"postgresql://(?P<role>tracker|postgres):secret@127\.0\.0\.1:5432/(?P<database>\w+)")
# As a reader's own: quiet, a line at the end, and an HTTP error is a failure.
_CURLRC = 'silent\nshow-error\nfail-with-body\nwrite-out = "\\n"\n'


class Reader:
    """`follow` runs the blocks of a page. Shell variables stay from one block to the next, as in one terminal."""

    def __init__(
        self, folder: Path, start: Callable[[], Running], environ: dict[str, str], dsn: str | None = None
    ) -> None:
        self._folder = folder
        self._start = start
        self._dsn = dsn
        self._state = folder / ".state"
        self._state.touch()
        (folder / ".curlrc").write_text(_CURLRC, "utf-8")
        self._environ = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("TRACKER_", "DATABASE_", "PG"))
            },
            **environ,
            "HOME": str(folder),
            "CURL_HOME": str(folder),
        }
        self._server: Running | None = None

    async def follow(self, blocks: list[Block], tier: str) -> None:
        """Runs them and compares what they print with the answers that the page shows."""
        printed = ""
        try:
            for block in blocks:
                if block.value("only") not in (None, tier):
                    printed = ""
                elif "run" in block.words:
                    self._serve("stopped" not in block.words)
                    printed = await self._run(block)
                elif "answer" in block.words and printed:
                    _compare(block, printed)
        finally:
            self._serve(False)

    def _serve(self, wanted: bool) -> None:
        if self._server is not None and not wanted:
            self._server.end()
            self._server = None
        if self._server is None and wanted:
            self._server = self._start()

    async def _run(self, block: Block) -> str:
        text = self._as_here(block.text)
        if block.language == "sql":
            assert self._dsn is not None, f"{block.place}: a page of the embedded PostgreSQL has no SQL blocks"
            return await _query(self._dsn, text)
        return self._execute(block, text)

    def _as_here(self, text: str) -> str:
        """The text with this server and database in place of the page's."""
        text = _DSN.sub(self._dsn_here, text)
        if self._server is not None:
            text = text.replace("127.0.0.1:8080", urlsplit(self._server.url).netloc)
            text = text.replace("YOUR_WRITE_KEY", self._server.values["write_key"])
        return text

    def _dsn_here(self, shown: re.Match[str]) -> str:
        assert self._dsn is not None, "a page of the embedded PostgreSQL names no other database"
        here = urlsplit(self._dsn)
        if shown["role"] == "postgres":  # the superuser, with the same password
            here = here._replace(netloc=here.netloc.replace("tracker:", "postgres:", 1))
        return urlunsplit(here if shown["database"] == "tracker" else here._replace(path=f"/{shown['database']}"))

    def _execute(self, block: Block, text: str) -> str:
        script = self._folder / f".example.{block.language}"
        if block.language == "sh":
            text = f"set -aeuo pipefail\n. '{self._state}'\n{text}\nexport -p > '{self._state}'\n"
        script.write_text(text, "utf-8")
        program = sys.executable if block.language == "python" else shutil.which("bash") or "sh"
        done = subprocess.run(
            [program, script], cwd=self._folder, env=self._environ, capture_output=True, text=True, check=False
        )
        fails = "fails" in block.words
        assert (done.returncode != 0) == fails, (
            f"{block.place} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        )
        return done.stdout + (done.stderr if fails else "")


async def _query(dsn: str, text: str) -> str:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(text)
    finally:
        await connection.close()
    return "\n".join(" | ".join(str(value) for value in row.values()) for row in rows) or "no rows"


def _compare(block: Block, printed: str) -> None:
    if block.language != "json":
        missing = missing_lines(block.text, printed)
        assert not missing, f"{block.place} shows\n{missing}\nand this was printed:\n{printed}"
        return
    shown: Any = json.loads(block.text)
    try:
        found: Any = json.loads(printed)
    except ValueError:
        raise AssertionError(f"{block.place} shows JSON, and this was printed:\n{printed}") from None
    found_differences = list(differences(shown, found))
    assert not found_differences, f"{block.place}: {found_differences}\nprinted: {printed}"
