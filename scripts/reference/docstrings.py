"""The docstrings of a class's fields, which Python itself does not keep."""

import ast
import inspect
import re
from textwrap import dedent

from msgspec import Struct

_SECTION = re.compile(r"^\s*# --- (?P<name>.+) ---$")


class Documented(Struct, frozen=True):
    """Fields that one docstring describes, in the order of the class."""

    names: list[str]
    text: str
    section: str
    """The name in the last comment `# --- name ---` above them; empty if there is none."""


def fields_of(kind: type) -> list[Documented]:
    """The fields of a class with their docstrings; a field without one shares the docstring of the next field.

    Raises ValueError for a last field without a docstring.
    """
    source = dedent(inspect.getsource(kind))
    sections = [(number, match["name"]) for number, line in _numbered(source) if (match := _SECTION.match(line))]
    (body,) = ast.parse(source).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 — the source of a class
    found: list[Documented] = []
    names: list[str] = []
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif names and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            section = next((name for number, name in reversed(sections) if number < node.lineno), "")
            found.append(Documented(names, " ".join(str(node.value.value).split()), section))
            names = []
    if names:
        raise ValueError(f"{kind.__name__}.{names[-1]} has no docstring: add one below the field.")
    return found


def _numbered(source: str) -> list[tuple[int, str]]:
    return list(enumerate(source.splitlines(), start=1))
