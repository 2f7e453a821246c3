"""Explains validation errors: msgspec names the place of an error, but not the values or fields that are valid."""

import re
from typing import Any

import msgspec
from msgspec import inspect

_PLACE = re.compile(r" - at `\$\.?([^`]*)`$")


def explain(error: msgspec.DecodeError, kind: Any) -> str:
    """Return the text of an error that `kind` caused. For an unknown value or field it lists the valid ones."""
    text = str(error)
    if not text.startswith(("Invalid enum value", "Object contains unknown field")):
        return text
    place = _PLACE.search(text)
    found = _at(inspect.type_info(kind), place[1].split(".") if place else [])
    if isinstance(found, inspect.LiteralType):
        return f"{text}: give {_alternatives(found.values)}"
    if isinstance(found, inspect.StructType):
        return f"{text}: use one of {', '.join(f'`{field.encode_name}`' for field in found.fields)}"
    return text


def _at(found: inspect.Type, names: list[str]) -> inspect.Type | None:
    """Return the type at a place inside a type; of a union with null, the other member."""
    if isinstance(found, inspect.Metadata):
        return _at(found.type, names)
    if isinstance(found, inspect.UnionType):
        kinds = (inspect.LiteralType, inspect.StructType)
        return next((_at(it, names) for it in found.types if isinstance(it, kinds)), None)
    if not names:
        return found
    fields = found.fields if isinstance(found, inspect.StructType) else ()
    return next((_at(field.type, names[1:]) for field in fields if field.encode_name == names[0]), None)


def _alternatives(values: Any) -> str:
    *first, last = (str(value) for value in values)
    return f"{', '.join(first)} or {last}" if first else last
