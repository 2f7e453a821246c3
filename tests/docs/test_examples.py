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

from tests.commands import Commands
from tests.conftest import Server
from tests.docs.pages import MUST_RUN, Block, blocks, name_of, pages
from tests.docs.reader import Reader
from tests.processes import Running

EMBEDDED = "<!-- examples: embedded -->"
ABOUT_STORAGE = {
    "docs/quickstart.md",
    "docs/how-to/backup-and-restore.md",
    "docs/how-to/connect-a-bi-tool.md",
    "docs/how-to/erase-a-visitor.md",
    "docs/how-to/hourly-numbers.md",
    "docs/how-to/import-and-export.md",
    "docs/how-to/own-postgresql.md",
    "docs/how-to/retention-and-settings.md",
    "docs/reference/api.md",
}
"""Pages whose examples do what the tiers do differently."""
_PROGRAMS = ("bash", "curl", "psql", "pg_dump", "pg_restore", "sqlite3", "tar")


def _pages_to_run(*, embedded: bool) -> list[Path]:
    return [
        page
        for page in pages()
        if (EMBEDDED in page.read_text("utf-8")) == embedded and any("run" in block.words for block in blocks(page))
    ]


_PAGES = _pages_to_run(embedded=False)


def _skip_without_programs(page: list[Block], path: str) -> None:
    text = "\n".join(block.text for block in page if block.language == "sh" and "run" in block.words)
    for program in _PROGRAMS:
        if f"{program} " in text and shutil.which(program, path=path) is None:
            pytest.skip(f"no {program} on this machine")


def _path(commands: Commands, postgres_bin: Path) -> str:
    folders = [commands.program.parent, Path(sys.executable).parent, postgres_bin]
    return os.pathsep.join([*map(str, folders), os.environ.get("PATH", os.defpath)])


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user who runs PostgreSQL can reach; pytest's own cannot be entered by others."""
    made = Path(tempfile.mkdtemp(prefix="tracker-docs-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def reader(page: Path, commands: Commands, folder: Path, server: Server) -> Reader:
    """A reader at a server on a fresh database of a tier."""
    dsn = await server.database()
    settings = {"DATABASE_URL": dsn, "TRACKER_DATA_DIR": str(folder)}
    environ = {"PATH": _path(commands, server.postgres.installation.bin_dir), **settings}
    _skip_without_programs(blocks(page), environ["PATH"])
    return Reader(folder, lambda: Running(program=[commands.program], **settings), environ, dsn)


@pytest.mark.parametrize("page", [page for page in _PAGES if name_of(page) in ABOUT_STORAGE], ids=name_of)
async def test_every_example_about_storage_works_and_prints_what_is_shown_on_both_tiers(
    page: Path, reader: Reader, tier: str
) -> None:
    await reader.follow(blocks(page), tier)


@pytest.mark.tiers("plain")
@pytest.mark.parametrize("page", [page for page in _PAGES if name_of(page) not in ABOUT_STORAGE], ids=name_of)
async def test_every_example_works_and_prints_what_is_shown(page: Path, reader: Reader, tier: str) -> None:
    await reader.follow(blocks(page), tier)


@pytest.mark.parametrize("page", _pages_to_run(embedded=True), ids=name_of)
async def test_every_example_of_a_page_works_on_the_embedded_postgresql(
    page: Path, commands: Commands, folder: Path
) -> None:
    data = folder / "data"

    def start() -> Running:
        return Running(program=[commands.program], TRACKER_DATA_DIR=str(data))

    start().end()
    choice = msgspec.json.decode((data / "embedded.json").read_bytes())
    environ = {"PATH": _path(commands, Path(choice["bin_dir"])), "TRACKER_DATA_DIR": str(data)}
    _skip_without_programs(blocks(page), environ["PATH"])
    reader = Reader(folder, start, environ)
    await reader.follow(blocks(page), "timescale" if choice["timescaledb"] else "plain")


def test_every_page_about_storage_is_there() -> None:
    assert set(map(name_of, _PAGES)) >= ABOUT_STORAGE


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
