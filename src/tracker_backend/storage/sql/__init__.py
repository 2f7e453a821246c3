"""Loads queries from `.sql` files, and derives column lists from structs.

A file holds queries, each under a line `-- name: purpose`.
"""

import re
from pathlib import Path

from msgspec import Struct

_HEADER = re.compile(r"^-- (?P<name>[a-z_]+): (?P<purpose>.+)$", re.MULTILINE)


class Queries:
    """The queries of one file as attributes: `commit.claim_batches` is the text of that query."""

    def __init__(self, path: Path, columns: dict[str, str]) -> None:
        text = path.read_text("utf-8")
        for name, value in columns.items():
            text = text.replace(f"{{{name}}}", value)
        parts = _HEADER.split(text)
        self._path = path
        self._queries = {name: body.strip().rstrip(";") for name, body in zip(parts[1::3], parts[3::3], strict=True)}

    def __getattr__(self, name: str) -> str:
        try:
            return self._queries[name]
        except KeyError:
            raise AttributeError(f"{self._path.name} has no query named {name!r}") from None


def load(module_file: str, name: str, **columns: str) -> Queries:
    """Return the queries of `sql/<name>.sql` beside a module: `load(__file__, "commit")`.

    `columns` replace placeholders in the file: `event=columns_of(Event)` replaces `{event}`.
    """
    return Queries(Path(module_file).parent / "sql" / f"{name}.sql", columns)


def columns_of(kind: type[Struct], **expressions: str) -> str:
    """Return a select list with one column per field of a struct, in order.

    A field is read from the column of its name, or from the SQL expression in `expressions`.
    """
    names = kind.__struct_fields__
    return ", ".join(f"{expressions[name]} as {name}" if name in expressions else name for name in names)
