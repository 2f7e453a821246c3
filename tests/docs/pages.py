"""The Markdown of the repository: its pages, their code blocks, headings and links."""

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[2]
MUST_RUN = ("sh", "sql", "python")
"""A block in one of these is an example that a reader tries: it says `run`, or why it is not run."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)


class Block(Struct, frozen=True):
    """A fenced block: the language and the words after it, such as `run`, `answer`, `only=timescale`."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for a message."""
        return f"{self.page}:{self.line}"

    def value(self, name: str) -> str | None:
        """What a word `name=value` says."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)


def pages() -> list[Path]:
    """Every page that people read here: at the top, in docs/, and the tracker's."""
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("tracker_js/*.md")])


def name_of(page: Path) -> str:
    """The page's path from the top of the repository."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path) -> list[Block]:
    """The page's fenced blocks in their order."""
    found: list[Block] = []
    lines = iter(enumerate(page.read_text("utf-8").splitlines(), start=1))
    for number, line in lines:
        if fence := _FENCE.match(line):
            language, *words = fence["info"].split() or [""]
            text = "\n".join(_until_fence(lines, len(fence["indent"])))
            found.append(Block(name_of(page), number, language, tuple(words), text))
    return found


def _until_fence(lines: Iterator[tuple[int, str]], indent: int) -> Iterator[str]:
    for _, line in lines:
        if line.strip() == "```":
            return
        yield line[indent:]


def prose(page: Path) -> str:
    """The page without its blocks."""
    kept: list[str] = []
    lines = iter(enumerate(page.read_text("utf-8").splitlines(), start=1))
    for _, line in lines:
        if fence := _FENCE.match(line):
            list(_until_fence(lines, len(fence["indent"])))
        else:
            kept.append(line)
    return "\n".join(kept)


def links(page: Path) -> list[str]:
    """Where the page's links lead."""
    return [match["target"] for match in _LINK.finditer(prose(page))]


def headings(page: Path) -> list[str]:
    """The texts of the page's headings."""
    return [match["text"].strip() for match in _HEADING.finditer(prose(page))]


def anchors(page: Path) -> set[str]:
    """The fragments that lead to the page's headings, as code hosts make them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}


def rows(page: Path) -> list[list[str]]:
    """The cells of every row of the page's tables, without the code marks around a whole cell."""
    lines = (line for line in prose(page).splitlines() if line.startswith("| ") and not line.startswith("| ---"))
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
