"""Extracts clicks, page views, errors and rage clicks from rrweb events, so that recordings are listed and counted like
events.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from tracker_backend.event import Event
from tracker_backend.recordings.recording import Found
from tracker_backend.recordings.rrweb_events import CUSTOM, INCREMENTAL, META, PLUGIN, Head
from tracker_backend.text_cleaning import clean_json, clean_text
from tracker_backend.times import SECOND

_MOUSE_INTERACTION, _LOG = 2, 11
_CLICK = 2
_FAILED = 400  # HTTP's client and server errors begin here
_SMALL = 64 * 1024  # what carries a click, an address or an error is never larger
_MESSAGE_LENGTH = 2000
# Three clicks in one place, each within a second of the one before: posthog-js, extensions/rageclick.ts.
_RAGE_CLICKS, _RAGE_PIXELS, _RAGE_TIME = 3, 30, SECOND


class _Interaction(Struct, gc=False):
    source: int | None = None
    type: int | None = None
    id: int | None = None
    x: float | None = None
    y: float | None = None
    level: str | None = None
    payload: list[Any] | None = None


class _Meta(Struct, gc=False):
    href: str


class _Custom(Struct, gc=False):
    tag: str
    payload: Any = None


class _Request(Struct, gc=False):
    name: str | None = None
    url: str | None = None
    method: str | None = None
    status: int | None = None
    response_status: int | None = msgspec.field(name="responseStatus", default=None)


class _Logged(Struct, gc=False):
    level: str | None = None
    payload: list[Any] | None = None
    requests: list[_Request] | None = None


class _Plugin(Struct, gc=False):
    plugin: str
    payload: _Logged


_interaction = msgspec.json.Decoder(_Interaction)
_meta = msgspec.json.Decoder(_Meta)
_custom = msgspec.json.Decoder(_Custom)
_plugin = msgspec.json.Decoder(_Plugin)
_encode = msgspec.json.Encoder().encode


def extract_events(heads: Sequence[Head], times: Sequence[int]) -> list[Found]:
    """What is found among events in order of time, with the same times."""
    return [Found(time, event.page_url, event) for time, event in _with_rage_clicks(_find(heads, times))]


def page_of(url: str) -> str:
    """What makes an address another page: its path, and the route of a site that has it in the fragment (`#/cart`).

    The tag's page views follow the same rule (`page-views.ts`).
    """
    address, _, fragment = url.partition("#")
    prefix = next((prefix for prefix in ("!/", "!", "/") if fragment.startswith(prefix)), None)
    route = "" if prefix is None else fragment.removeprefix(prefix).partition("?")[0]
    return f"{address.partition('?')[0]}#{route}"


def _find(heads: Sequence[Head], times: Sequence[int]) -> Iterable[tuple[int, Event]]:
    """Page views, clicks and errors with their times."""
    page: str | None = None
    for head, time in zip(heads, times, strict=True):
        if len(head.data) > _SMALL:
            continue
        for event in _events_of(head):
            if event.event_type == "pageview":
                is_same = page is not None and page_of(event.page_url or "") == page_of(page)
                page = event.page_url
                if is_same:
                    continue  # the page again, of a full snapshot in between, or with another filter
            event.page_url = page
            yield time, event


def _events_of(head: Head) -> Iterable[Event]:
    try:
        text = clean_json(bytes(head.data))  # what becomes an event is stored as text
        if head.type == INCREMENTAL:
            data = _interaction.decode(text)
            if data.source == _MOUSE_INTERACTION and data.type == _CLICK:
                yield _click(head, data)
            elif data.source == _LOG and data.level == "error":
                yield _error(head, " ".join(map(str, data.payload or ())))
        elif head.type == META:
            href = _meta.decode(text).href
            yield Event(head.timestamp, "pageview", page_url=href)
        elif head.type == PLUGIN:
            plugin = _plugin.decode(text)
            yield from _plugin_errors(head, plugin)
        elif head.type == CUSTOM:
            custom = _custom.decode(text)
            if custom.tag.lower() in ("error", "exception", "unhandledrejection"):
                yield _error(head, _text(custom.payload))
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
        return  # no error of the batch: it is stored as it came


def _click(head: Head, data: _Interaction) -> Event:
    return Event(
        head.timestamp,
        "click",
        viewport_x=None if data.x is None else _pixels(data.x),
        viewport_y=None if data.y is None else _pixels(data.y),
        event_data=Raw(_encode({"node": data.id})),
    )


def _pixels(value: float) -> int:
    return max(-1_000_000, min(1_000_000, round(value)))


def _error(head: Head, message: str, **more: object) -> Event:
    return Event(
        head.timestamp, "error", event_data=Raw(_encode({"message": clean_text(message)[:_MESSAGE_LENGTH], **more}))
    )


def _plugin_errors(head: Head, plugin: _Plugin) -> Iterable[Event]:
    """rrweb's console plugin (`rrweb/console@1`: level, payload, trace) and network plugins (a list of requests)."""
    payload = plugin.payload
    if payload.level == "error":
        yield _error(head, " ".join(map(_text, payload.payload or ())), plugin=plugin.plugin)
    for request in payload.requests or ():
        status = request.status or request.response_status or 0
        if status >= _FAILED:
            parts = urlsplit(request.name or request.url or "")
            shown = f"{request.method or 'GET'} {parts.scheme}://{parts.netloc}{parts.path}"
            yield _error(head, f"{shown} {status}", plugin=plugin.plugin, status=status)


def _text(value: object) -> str:
    """A logged value. rrweb's console plugin writes each as JSON text."""
    if not isinstance(value, str):
        return _encode(value).decode()
    try:
        decoded = msgspec.json.decode(value)
    except msgspec.DecodeError:
        return value
    return decoded if isinstance(decoded, str) else value


def _with_rage_clicks(found: Iterable[tuple[int, Event]]) -> Iterable[tuple[int, Event]]:
    """The same with a `rage_click` after the third click of a burst. A burst over two batches is not seen."""
    last: tuple[int, int, int] | None = None
    clicks = 0
    for time, event in found:
        yield time, event
        if event.event_type != "click" or event.viewport_x is None or event.viewport_y is None:
            continue
        x, y = event.viewport_x, event.viewport_y
        near = last is not None and time - last[0] < _RAGE_TIME and abs(x - last[1]) + abs(y - last[2]) < _RAGE_PIXELS
        clicks = clicks + 1 if near else 1
        last = (time, x, y)
        if clicks == _RAGE_CLICKS:
            rage = msgspec.structs.replace(event, event_type="rage_click")
            yield time, rage
