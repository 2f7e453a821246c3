"""Loads the queries of a folder's `.sql` files, and derives lists of columns from structs.

A file holds queries, each under a line `-- name: purpose`. `load(path)` returns them by name.
"""

import re
from pathlib import Path

from msgspec import Struct

_HEADER = re.compile(r"^-- (?P<name>[a-z_]+): (?P<purpose>.+)$", re.MULTILINE)


class Queries:
    """Queries of one file as attributes: `commit.claim_batches` is that query's text."""

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
    """The queries of `sql/<name>.sql` beside a module: `load(__file__, "commit")`.

    `columns` are lists of columns by the name under which the file has them: `{event}` for `event=columns_of(Event)`.
    """
    return Queries(Path(module_file).parent / "sql" / f"{name}.sql", columns)


def columns_of(kind: type[Struct], **expressions: str) -> str:
    """The columns of a select list that fill the fields of a struct in order.

    A field is the column of its name, or an expression where one is given for it.
    """
    names = kind.__struct_fields__
    return ", ".join(f"{expressions[name]} as {name}" if name in expressions else name for name in names)
