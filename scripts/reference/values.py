"""What a field accepts, in words: from its type and the bounds in its `Meta`."""

from typing import Any

from msgspec import inspect

_HIGHEST_SHOWN = 10**9
"""Bounds beyond this only keep a column from overflowing."""
_NAMES: dict[type[inspect.Type], str] = {
    inspect.BoolType: "`true` or `false`",
    inspect.DictType: "object",
    inspect.FloatType: "number",
    inspect.IntType: "integer",
    inspect.ListType: "list",
    inspect.RawType: "any JSON",
    inspect.StrType: "text",
    inspect.StructType: "object",
    inspect.UUIDType: "UUID",
    inspect.VarTupleType: "list",
}


def describe(kind: inspect.Type) -> str:
    """Return `integer, at least 1`, `text, at most 255 characters` or the like; null is not mentioned.

    Raises KeyError for a type that `_NAMES` does not have.
    """
    if isinstance(kind, inspect.UnionType):
        texts = dict.fromkeys(describe(each) for each in kind.types if not isinstance(each, inspect.NoneType))
        if "number" in texts:  # it includes integers
            texts.pop("integer", None)
        return " or ".join(texts)
    if isinstance(kind, inspect.LiteralType):
        return ", ".join(f"`{value}`" for value in kind.values)
    if isinstance(kind, inspect.CustomType):
        return kind.cls.__name__.lower()
    bounds = ""
    if isinstance(kind, inspect.IntType | inspect.FloatType):
        bounds = _range(kind.ge, kind.le)
    elif isinstance(kind, inspect.StrType):
        bounds = _length(kind.min_length, kind.max_length, "characters")
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
        bounds = _length(kind.min_length, kind.max_length, "items")
    return f"{_NAMES[type(kind)]}, {bounds}" if bounds else _NAMES[type(kind)]


def default_text(value: object) -> str:
    """Return a default as a table shows it: `none` if nothing is set, sizes also in MiB."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    mib = 1024 * 1024
    if isinstance(value, int) and value >= mib and value % mib == 0:
        return f"{value // mib} MiB ({value})"
    return f"`{value}`"


def _range(least: Any, most: Any) -> str:
    shown_least = least if least is not None and abs(least) < _HIGHEST_SHOWN else None
    shown_most = most if most is not None and most < _HIGHEST_SHOWN else None
    if shown_least is not None and shown_most is not None:
        return f"{shown_least} to {shown_most}"
    if shown_least is not None:
        return f"at least {shown_least}"
    return "" if shown_most is None else f"at most {shown_most}"


def _length(least: int | None, most: int | None, unit: str) -> str:
    if most is None:
        return ""
    return f"{least} to {most} {unit}" if least else f"at most {most} {unit}"
