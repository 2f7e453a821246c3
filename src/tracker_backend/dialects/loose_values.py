"""Reads texts and sizes from objects whose fields a client may fill with anything."""

from typing import Any

_MOST_PIXELS = 1_000_000


def text_or_none(value: Any, length: int | None = None) -> str | None:
    """A text, cut to a length; None for an empty one and for any other value."""
    return value[:length] if isinstance(value, str) and value else None


def pixels_or_none(value: Any) -> int | None:
    """A size in pixels, rounded; None for any other value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(value) if is_number and 0 <= value <= _MOST_PIXELS else None
