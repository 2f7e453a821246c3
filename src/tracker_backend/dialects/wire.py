"""What the dialects share: texts and sizes out of loose objects, and the shapes of errors."""

from typing import Any

_MOST_PIXELS = 1_000_000


def text_of(value: Any, length: int | None = None) -> str | None:
    """A text out of a loose object, cut to a length; None for anything else and for an empty one."""
    return value[:length] if isinstance(value, str) and value else None


def pixels_of(value: Any) -> int | None:
    """A size out of a loose object; None for anything else."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return round(value) if is_number and 0 <= value <= _MOST_PIXELS else None


def refusal(text: str) -> dict[str, object]:
    """An error in the shape of clients that look at `success`."""
    return {"success": False, "error": text}


def error_text(text: str) -> dict[str, object]:
    """An error in the shape of clients that look at `error` only."""
    return {"error": text}
