"""The generated parts of a page: where they are, and what belongs into them."""

import re
from pathlib import Path

from scripts.reference.tables import TABLES, required

_ROOT = Path(__file__).parents[2]
PAGES = [*sorted((_ROOT / "docs" / "reference").glob("*.md")), _ROOT / "CONTRIBUTING.md"]
_PART = re.compile(r"<!-- generated: (?P<name>[^\n]+?) -->\n.*?<!-- end -->", re.DOTALL)


def render(page: str) -> str:
    """The text of a page with all its generated parts written anew; KeyError for a name that no table has."""
    return _PART.sub(_part, page)


def missing() -> list[str]:
    """What must have a place in some page and has none, such as `settings limits` or `cli key create`."""
    found = {part["name"] for page in PAGES for part in _PART.finditer(page.read_text("utf-8"))}
    return [name for name in required() if name not in found]


def _part(part: re.Match[str]) -> str:
    table, *words = part["name"].split()
    return f"<!-- generated: {part['name']} -->\n{TABLES[table](*words)}\n<!-- end -->"
