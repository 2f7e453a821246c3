"""Loads the queries of a folder's `.sql` files.

A file holds queries, each under a line `-- name: purpose`. `load(path)` returns them by name.
"""

import re
from pathlib import Path

_HEADER = re.compile(r"^-- (?P<name>[a-z_]+): (?P<purpose>.+)$", re.MULTILINE)


class Queries:
    """Queries of one file as attributes: `ingest.claim_batches` is that query's text."""

    def __init__(self, path: Path) -> None:
        parts = _HEADER.split(path.read_text("utf-8"))
        self._path = path
        self._queries = {name: body.strip().rstrip(";") for name, body in zip(parts[1::3], parts[3::3], strict=True)}

    def __getattr__(self, name: str) -> str:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"{self._path.name} has no query named {name!r}") from None


def load(module_file: str, name: str) -> Queries:
    """The queries of `sql/<name>.sql` beside a module (`load(__file__, "ingest")`)."""
    return Queries(Path(module_file).parent / "sql" / f"{name}.sql")
