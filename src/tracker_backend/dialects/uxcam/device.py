"""What `device_info` says of a session, under the names that trackers use. It is kept whole; this only fills columns,
so whatever does not fit is passed over.
"""

import re
from typing import Any, cast

from tracker_backend.dialects.wire import pixels_of, text_of
from tracker_backend.ingest.agent import AGENT_LENGTH
from tracker_backend.ingest.batch import SessionFields

_LABEL = 255
_DEVICES = frozenset({"desktop", "mobile", "tablet"})
_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX*]\s*(\d{1,6})\s*")


def device_fields(info: object) -> SessionFields:
    """The columns that an object fills; none for anything else."""
    told = cast("dict[str, Any]", info) if isinstance(info, dict) else {}

    def text(*names: str, length: int | None = _LABEL) -> str | None:
        return next((found for name in names if (found := _named(told.get(name), length))), None)

    device = (text("device_type", "deviceType", "device") or "").lower()
    screen, viewport = _size(told, "screen"), _size(told, "viewport")
    return SessionFields(
        page_url=text("page_url", "pageUrl", "url", "href", length=None),
        referrer=text("referrer", length=None),
        user_agent=text("user_agent", "userAgent", length=AGENT_LENGTH),
        screen_width=screen[0],
        screen_height=screen[1],
        viewport_width=viewport[0],
        viewport_height=viewport[1],
        device_type=device if device in _DEVICES else None,
        browser=text("browser", "browser_name", "browserName"),
        os=text("os", "os_name", "osName"),
        language=text("language", "locale"),
    )


def _named(value: object, length: int | None) -> str | None:
    """A text, or the name of an object such as `{"name": "Firefox", "version": "130"}`."""
    if isinstance(value, dict):
        value = cast("dict[str, Any]", value).get("name")
    return text_of(value, length)


def _size(told: dict[str, Any], what: str) -> tuple[int | None, int | None]:
    """Of `screen: {width, height}`, `screen_width` and `screen_height`, `screenWidth`, `"1920x1080"`."""
    for value in (told.get(what), told.get(f"{what}_size"), told.get(f"{what}Size"), told.get(f"{what}_resolution")):
        if isinstance(value, dict):
            size = cast("dict[str, Any]", value)
            return pixels_of(size.get("width")), pixels_of(size.get("height"))
        if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
            return int(found[1]), int(found[2])
    return (
        pixels_of(told.get(f"{what}_width", told.get(f"{what}Width"))),
        pixels_of(told.get(f"{what}_height", told.get(f"{what}Height"))),
    )
