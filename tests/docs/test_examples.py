"""Every example of the documentation, run as a reader would.

A block says after its language what becomes of it: `run` (with `fails` where it shows an error, `stopped` where the
server is down meanwhile, `only=TIER`), `not-run=reason`; and `answer` is what the block before it prints. A page with
`<!-- examples: embedded -->` gets a server with its own PostgreSQL, the others one on a fresh database of each tier.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.conftest import Server
from tests.docs.pages import MUST_RUN, Block, blocks, name_of, pages
from tests.docs.reader import Reader
from tests.processes import Running

EMBEDDED = "<!-- examples: embedded -->"
_PROGRAMS = ("bash", "curl", "psql", "pg_dump", "pg_restore", "sqlite3", "tar")


def _pages_to_run(*, embedded: bool) -> list[Path]:
    return [
        page
        for page in pages()
        if (EMBEDDED in page.read_text("utf-8")) == embedded and any("run" in block.words for block in blocks(page))
    ]


def _skip_without_programs(page: list[Block], path: str) -> None:
    text = "\n".join(block.text for block in page if block.language == "sh" and "run" in block.words)
    for program in _PROGRAMS:
        if f"{program} " in text and shutil.which(program, path=path) is None:
            pytest.skip(f"no {program} on this machine")


def _path(postgres_bin: Path) -> str:
    return os.pathsep.join([str(Path(sys.executable).parent), str(postgres_bin), os.environ.get("PATH", os.defpath)])


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user who runs PostgreSQL can reach; pytest's own cannot be entered by others."""
    made = Path(tempfile.mkdtemp(prefix="tracker-docs-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.parametrize("page", _pages_to_run(embedded=False), ids=name_of)
async def test_every_example_of_a_page_works_and_prints_what_is_shown(
    page: Path, tier: str, server: Server, folder: Path
) -> None:
    dsn = await server.database()
    environ = {
        "PATH": _path(server.postgres.installation.bin_dir),
        "DATABASE_URL": dsn,
        "TRACKER_DATA_DIR": str(folder),
    }
    _skip_without_programs(blocks(page), environ["PATH"])
    settings = {name: value for name, value in environ.items() if name != "PATH"}
    reader = Reader(folder, lambda: Running(**settings), environ, dsn)
    await reader.follow(blocks(page), tier)


@pytest.mark.parametrize("page", _pages_to_run(embedded=True), ids=name_of)
async def test_every_example_of_a_page_works_on_the_embedded_postgresql(page: Path, folder: Path) -> None:
    data = folder / "data"
    started = Running(TRACKER_DATA_DIR=str(data))
    choice = msgspec.json.decode((data / "embedded.json").read_bytes())
    started.end()
    environ = {"PATH": _path(Path(choice["bin_dir"])), "TRACKER_DATA_DIR": str(data)}
    _skip_without_programs(blocks(page), environ["PATH"])
    reader = Reader(folder, lambda: Running(TRACKER_DATA_DIR=str(data)), environ)
    await reader.follow(blocks(page), "timescale" if choice["timescaledb"] else "plain")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_example_of_a_page_is_run_or_says_why_not(page: Path) -> None:
    unmarked = [
        block.place
        for block in blocks(page)
        if block.language in MUST_RUN and "run" not in block.words and not block.value("not-run")
    ]
    assert not unmarked


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_block_of_a_page_names_its_language(page: Path) -> None:
    if page.parent.name != "tracker_js":
        assert not [block.place for block in blocks(page) if not block.language]
