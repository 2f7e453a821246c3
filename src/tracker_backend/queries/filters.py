"""The only builder of SQL: conditions joined by `and`. Values are always parameters."""

import base64
import binascii
from datetime import datetime
from typing import Any

import msgspec

from tracker_backend.errors import Invalid
from tracker_backend.times import parse_time, to_datetime


class Where:
    """Collects conditions. `?` in a condition stands for a value."""

    def __init__(self, **first: object) -> None:
        self.values: list[object] = []
        self._conditions: list[str] = []
        for column, value in first.items():
            self.add(f"{column} = ?", value)

    def add(self, condition: str, *values: object) -> "Where":
        """Adds a condition with a value for each `?`."""
        for value in values:
            self.values.append(value)
            condition = condition.replace("?", f"${len(self.values)}", 1)
        self._conditions.append(condition)
        return self

    def add_if(self, condition: str, value: object | None) -> "Where":
        """Adds a condition unless its value is None."""
        return self if value is None else self.add(condition, value)

    def parameter(self, value: object) -> str:
        """A value outside the conditions, such as a limit: its placeholder."""
        self.values.append(value)
        return f"${len(self.values)}"

    def copy(self) -> "Where":
        """A copy, to which conditions can be added."""
        other = Where()
        other.values, other._conditions = [*self.values], [*self._conditions]
        return other

    def __str__(self) -> str:
        return " and ".join(self._conditions) or "true"


def contains(text: str) -> str:
    """A LIKE pattern that matches texts with `text` in them."""
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"


def time_parameter(text: str | None, name: str) -> datetime | None:
    """A time from the query string: ISO 8601, epoch milliseconds or seconds. Raises Invalid."""
    if text is None:
        return None
    parsed = parse_time(text.replace(" ", "+"))  # an unescaped + arrives as a space
    try:
        if parsed is None:
            raise ValueError
        return to_datetime(parsed)
    except (ValueError, OverflowError):
        raise Invalid(f"`{name}` is {text!r}: give an ISO 8601 text, epoch milliseconds or epoch seconds.") from None


def encode_cursor(*values: object) -> str:
    """The position at the end of a page, as an opaque text."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def decode_cursor(text: str, kind: Any) -> Any:
    """The values of a cursor as `kind`, a tuple type. Raises Invalid for a cursor of another list."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise Invalid(
            "this `cursor` does not belong to this list: take `next_cursor` of an answer with the same sort."
        ) from None
