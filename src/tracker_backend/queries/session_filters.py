"""The filters of the lists of sessions.

A new filter is one entry of `SESSION_FILTERS` and a test. The query's condition, the parameters of both routes, their
descriptions in `/docs` and the table of `docs/reference/api.md` (`make reference`) are made from the entry.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from msgspec import Struct

from tracker_backend.queries.filters import Where, contains, time_parameter

FilterValues = Mapping[str, Any]
"""The parameters of a request, decoded to their types, by the name of their filter."""


class SessionFilter(Struct, frozen=True):
    """A query parameter and the condition that it adds."""

    name: str
    """The parameter's name in `GET /api/v1/sessions`."""
    type: Any
    condition: str
    """SQL, in which `?` stands for the value."""
    description: str
    dialect_name: str | None = None
    """The parameter's name in the dialects' `GET /api/sessions`; None where they do not have it."""
    in_v1: bool = True
    minimum: float | None = None
    convert: Callable[[Any], object] | None = None
    """Makes the value of the condition from that of the parameter; None adds no condition. Raises Invalid."""


def _split(values: list[str]) -> list[str] | None:
    return [name.strip() for value in values for name in value.split(",") if name.strip()] or None


SESSION_FILTERS = (
    SessionFilter(
        "from",
        str,
        "started_at >= ?",
        "The session began at this time or later: ISO 8601, epoch milliseconds or seconds",
        dialect_name="from",
        convert=lambda text: time_parameter(text, "from"),
    ),
    SessionFilter(
        "to",
        str,
        "started_at < ?",
        "The session began before this time",
        dialect_name="to",
        convert=lambda text: time_parameter(text, "to"),
    ),
    SessionFilter("user_id", str, "user_id = ?", "The user's id", dialect_name="userId"),
    SessionFilter(
        "page_url",
        str,
        "page_url ilike ?",
        "Part of the first page's URL, in any case",
        dialect_name="pageUrl",
        convert=contains,
    ),
    SessionFilter(
        "device_type", Literal["desktop", "mobile", "tablet"], "device_type = ?", "`desktop`, `mobile` or `tablet`"
    ),
    SessionFilter("browser", str, "browser = ?", "The browser's name"),
    SessionFilter("os", str, "os = ?", "The operating system's name"),
    SessionFilter(
        "has_errors", bool, "(error_count > 0) = ?", "Whether the session has errors", dialect_name="hasErrors"
    ),
    SessionFilter("has_recording", bool, "has_recording = ?", "Whether the session has a recording"),
    SessionFilter("is_bot", bool, "is_bot = ?", "Whether the user agent is that of a bot"),
    SessionFilter(
        "min_duration", float, "duration_seconds >= ?", "The least duration of the session in seconds", minimum=0
    ),
    SessionFilter("app_id", str, "app_id = ?", "The app's id", dialect_name="appId", in_v1=False),
    SessionFilter("ticket_id", str, "ticket_id = ?", "The ticket's id", dialect_name="ticketId", in_v1=False),
    SessionFilter(
        "device",
        list[str],
        "device_type = any(?)",
        "desktop, mobile, tablet: repeated or comma-separated",
        dialect_name="device",
        in_v1=False,
        convert=_split,
    ),
)
_BY_NAME = {each.name: each for each in SESSION_FILTERS}


def add_filters(where: Where, values: FilterValues) -> bool:
    """Adds the conditions of a request; returns whether there is any. Raises Invalid for an unreadable value."""
    count = len(where.values)
    for name, value in values.items():
        found = _BY_NAME[name]
        where.add_if(found.condition, value if found.convert is None else found.convert(value))
    return len(where.values) > count
