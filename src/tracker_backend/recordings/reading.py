"""A batch of rrweb events: checked, sorted and packed as it is stored, and what is found in it.

The format is rrweb's (`packages/types/src/index.ts`, 2.1): `{"type": 0-6, "data": …, "timestamp": epoch ms}`. Types and
sources that are not known here are stored like the others.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw, Struct

from tracker_backend.accounts.project_settings import DEFAULT, Masking
from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.ingest.batch import Recording
from tracker_backend.ingest.wire import Event, Time
from tracker_backend.masking.rrweb import LEVEL, mask_events
from tracker_backend.masking.rules import rules_of
from tracker_backend.times import SECOND, parse_time
from tracker_backend.zstd import compress

FULL_SNAPSHOT, META = 2, 4
_INCREMENTAL, _CUSTOM, _PLUGIN = 3, 5, 6
_MOUSE_INTERACTION, _LOG = 2, 11
_CLICK = 2
_MOST = 2**62  # microseconds that a bigint holds
_FAILED = 400  # HTTP's client and server errors begin here
_SMALL = 64 * 1024  # what carries a click, an address or an error is never larger
_MESSAGE_LENGTH = 2000
# Three clicks in one place, each within a second of the one before: posthog-js, extensions/rageclick.ts.
_RAGE_CLICKS, _RAGE_PIXELS, _RAGE_TIME = 3, 30, SECOND


class _Head(Struct, gc=False):
    timestamp: Time
    type: int | str | None = None
    data: Raw = msgspec.field(default_factory=Raw)


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


T = TypeVar("T")

_list = msgspec.json.Decoder(list[Raw])
_head = msgspec.json.Decoder(_Head)
_interaction = msgspec.json.Decoder(_Interaction)
_meta = msgspec.json.Decoder(_Meta)
_custom = msgspec.json.Decoder(_Custom)
_plugin = msgspec.json.Decoder(_Plugin)
_encode = msgspec.json.Encoder().encode


def read_recording(
    events: Sequence[Raw] | bytes, limit: int, *, masking: Masking = DEFAULT.masking, initial: bool | None = None
) -> Recording:
    """A list of rrweb events, or the JSON text of one, as it is stored: masked by the project's rules, before anything
    else is made of it. `initial` is what a client said of the batch.

    Raises TooLarge over `limit` bytes, Invalid with the place and the reason for what is no list of rrweb events.
    """
    if isinstance(events, bytes):
        events = decode_list(events)
    if not events:
        raise Invalid("`events` is empty: send at least one rrweb event.")
    texts = [bytes(event) for event in events]
    size = sum(map(len, texts)) + len(texts) - 1
    if size > limit:
        raise TooLarge(f"the rrweb events have {size} bytes, more than {limit}: send smaller batches.")
    heads = [_read_head(index, text) for index, text in enumerate(texts)]
    times = [_time_of(index, head) for index, head in enumerate(heads)]
    masked = mask_events(rules_of(masking), texts, [head.type for head in heads])
    for index, text in masked.changed.items():
        texts[index], heads[index] = text, _read_head(index, text)
    if masked.changed:
        size = sum(map(len, texts)) + len(texts) - 1
    digest = blake2b(b",".join(texts), digest_size=16).digest()
    if any(one > two for one, two in pairwise(times)):
        order = sorted(range(len(times)), key=times.__getitem__)
        texts, heads, times = _take(texts, order), _take(heads, order), _take(times, order)
    found = list(_with_rage_clicks(_find(heads, times)))
    pages = [event.page_url for _, event in found if event.event_type == "pageview"]
    return Recording(
        count=len(texts),
        inflated_size=size,
        client_first=times[0],
        client_last=times[-1],
        has_full_snapshot=any(head.type == FULL_SNAPSHOT for head in heads),
        digest=digest,
        data=compress(b",".join(texts), LEVEL),
        initial=initial,
        found=[event for _, event in found],
        found_times=[time for time, _ in found],
        found_pages=[event.page_url for _, event in found],
        last_page=pages[-1] if pages else None,
        masked=masked.secret,
        late=masked.late,
        open=masked.open - masked.secret,
    )


def decode_list(text: bytes) -> list[Raw]:
    """The elements of a JSON array; Invalid if it is none."""
    try:
        return _list.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Invalid(f"the rrweb events are no JSON array: {error}.") from error


def time_of(event: bytes) -> int:
    """Microseconds since 1970 by the client's clock, of an event that was read before."""
    time = parse_time(_head.decode(event).timestamp)
    assert time is not None  # noqa: S101 — `read_recording` lets none through without
    return time


def is_type(event: bytes, *types: int) -> bool:
    """Whether an event is of one of these types."""
    return _head.decode(event).type in types


def _take(values: list[T], order: list[int]) -> list[T]:
    return [values[index] for index in order]


def _read_head(index: int, text: bytes) -> _Head:
    try:
        return _head.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Invalid(f"`$.events[{index}]` is no rrweb event: {error}.") from error


def _time_of(index: int, head: _Head) -> int:
    time = parse_time(head.timestamp)
    if time is None or abs(time) > _MOST:
        raise Invalid(f"`$.events[{index}].timestamp` is {head.timestamp!r}: send epoch milliseconds.")
    return time


def _find(heads: Sequence[_Head], times: Sequence[int]) -> Iterable[tuple[int, Event]]:
    """Page views, clicks and errors with their times."""
    page: str | None = None
    for head, time in zip(heads, times, strict=True):
        if len(head.data) > _SMALL:
            continue
        for event in _events_of(head):
            if event.event_type == "pageview":
                if event.page_url == page:
                    continue  # the page again, of a full snapshot in between
                page = event.page_url
            event.page_url = page
            yield time, event


def _events_of(head: _Head) -> Iterable[Event]:
    try:
        if head.type == _INCREMENTAL:
            data = _interaction.decode(head.data)
            if data.source == _MOUSE_INTERACTION and data.type == _CLICK:
                yield _click(head, data)
            elif data.source == _LOG and data.level == "error":
                yield _error(head, " ".join(map(str, data.payload or ())))
        elif head.type == META:
            href = _meta.decode(head.data).href
            yield Event(head.timestamp, "pageview", page_url=href)
        elif head.type == _PLUGIN:
            plugin = _plugin.decode(head.data)
            yield from _plugin_errors(head, plugin)
        elif head.type == _CUSTOM:
            custom = _custom.decode(head.data)
            if custom.tag.lower() in ("error", "exception", "unhandledrejection"):
                yield _error(head, _text(custom.payload))
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
        return  # no error of the batch: it is stored as it came


def _click(head: _Head, data: _Interaction) -> Event:
    return Event(
        head.timestamp,
        "click",
        viewport_x=None if data.x is None else _pixels(data.x),
        viewport_y=None if data.y is None else _pixels(data.y),
        event_data=Raw(_encode({"node": data.id})),
    )


def _pixels(value: float) -> int:
    return max(-1_000_000, min(1_000_000, round(value)))


def _error(head: _Head, message: str, **more: object) -> Event:
    return Event(head.timestamp, "error", event_data=Raw(_encode({"message": message[:_MESSAGE_LENGTH], **more})))


def _plugin_errors(head: _Head, plugin: _Plugin) -> Iterable[Event]:
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
