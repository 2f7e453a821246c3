"""Reads a session's columns from `device_info`, under the names that trackers use. Values that do not fit are skipped:
the object is also stored whole.
"""

import re
from typing import Any, cast

from tracker_backend.dialects.loose_values import pixels_or_none, text_or_none
from tracker_backend.ingest.agent import AGENT_LENGTH
from tracker_backend.ingest.batch import SessionFields

_LABEL = 255
_DEVICES = frozenset({"desktop", "mobile", "tablet"})
_SIZE = re.compile(r"\s*(\d{1,6})\s*[xX*]\s*(\d{1,6})\s*")


def device_fields(info: object) -> SessionFields:
    """The columns that an object fills; none for any other value."""
    fields = cast("dict[str, Any]", info) if isinstance(info, dict) else {}

    def text(*names: str, length: int | None = _LABEL) -> str | None:
        return next((found for name in names if (found := _named(fields.get(name), length))), None)

    device = (text("device_type", "deviceType", "device") or "").lower()
    screen, viewport = _size(fields, "screen"), _size(fields, "viewport")
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
    return text_or_none(value, length)


def _size(fields: dict[str, Any], what: str) -> tuple[int | None, int | None]:
    """Width and height from `screen: {width, height}`, `screen_width` or `screenWidth`, or `"1920x1080"`."""
    for value in (
        fields.get(what),
        fields.get(f"{what}_size"),
        fields.get(f"{what}Size"),
        fields.get(f"{what}_resolution"),
    ):
        if isinstance(value, dict):
            size = cast("dict[str, Any]", value)
            return pixels_or_none(size.get("width")), pixels_or_none(size.get("height"))
        if isinstance(value, str) and (found := _SIZE.fullmatch(value)):
            return int(found[1]), int(found[2])
    return (
        pixels_or_none(fields.get(f"{what}_width", fields.get(f"{what}Width"))),
        pixels_or_none(fields.get(f"{what}_height", fields.get(f"{what}Height"))),
    )
