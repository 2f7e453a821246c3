"""The steps of ingest: each takes a batch and gives it back changed. None of them waits for anything."""

import re
import uuid
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import urlsplit

import msgspec
from asyncpg.pgproto.pgproto import UUID
from msgspec import Raw
from msgspec.structs import astuple

from tracker_backend.errors import Invalid
from tracker_backend.ingest.agent import parse_agent
from tracker_backend.ingest.batch import Batch, Counts, Known, Lane, Recording
from tracker_backend.ingest.wire import Event, Time, with_extra
from tracker_backend.masking.events import remask
from tracker_backend.settings import Settings
from tracker_backend.storage.nodes import Node
from tracker_backend.text_cleaning import check_numbers
from tracker_backend.times import DAY, HOUR, SECOND, hour_of, parse_time

EVENT_TYPE_LENGTH = 50
ELEMENT_LENGTH = 255
PAGE_LENGTH = 512
NATIVE, RRWEB = "native", "rrweb"
"""Sources of events: sent by `v1` clients, found in a recording. Other dialects' events carry the dialect's name."""

_NO_DATA = (Raw(), Raw(b"null"))
_encode = msgspec.json.Encoder().encode


def identify(batch: Batch) -> Batch:
    """Gives the batch its identity: the client's name for it, else a digest of what it holds.

    Never of `sent_at`, which changes with each attempt. Raises Invalid for an event without a readable time.
    """
    if batch.image is not None:
        content = b"i" + batch.image.sha256 + _encode((batch.times, batch.image.page_url))
    elif not batch.events and batch.recording is None:
        if batch.ended_at is None and not batch.times:
            return batch
        # With a time it is placed by the session's clock, which only batches with an identity are.
        content = b"s" + _encode((batch.times, batch.ended_at, batch.client_stats, batch.session))
    elif batch.name is not None:
        content = b"n" + batch.name.encode()
    elif batch.recording is not None:
        content = b"r" + batch.recording.digest + _encode(batch.events)
    else:
        content = b"e" + _encode(batch.events)
    batch.identity = uuid.UUID(bytes=blake2b(content, digest_size=16).digest())
    return batch


def read_times(batch: Batch) -> Batch:
    """Reads the client's times; Invalid names the event whose time is none."""
    if batch.events:
        batch.times = [
            time if (time := parse_time(event.timestamp)) is not None else _no_time(index, event)
            for index, event in enumerate(batch.events)
        ]
    return batch


def fit(batch: Batch) -> Batch:
    """Cuts texts to what is stored."""
    for index, event in enumerate(batch.events):
        if event.event_data not in _NO_DATA:
            check_numbers(event.event_data, f"$.events[{index}].event_data")
        if len(event.event_type) > EVENT_TYPE_LENGTH:
            event.event_type = event.event_type[:EVENT_TYPE_LENGTH]
        if event.target_element is not None and len(event.target_element) > ELEMENT_LENGTH:
            event.target_element = event.target_element[:ELEMENT_LENGTH]
    return batch


def fill_pages(batch: Batch) -> Batch:
    """An event that names no page happened on that of the event before it, the first ones on the first page named."""
    page = batch.session.page_url
    if page is None:
        page = next((event.page_url for event in batch.events if event.page_url), None)
        if page is None and batch.events and batch.source == NATIVE:
            raise Invalid("no event names its `page_url`, and the session is not known with one: add it to the events.")
        if page is None and batch.recording is not None:
            page = next((event.page_url for event in batch.recording.found if event.page_url), None)
        batch.session.page_url = page
    for event in batch.events:
        if event.page_url:
            page = event.page_url
        else:
            event.page_url = page or ""
    return batch


def describe_agent(batch: Batch) -> Batch:
    """Fills in browser, system and device from the user agent, and labels bots."""
    session = batch.session
    agent = parse_agent(session.user_agent or "")
    session.browser = session.browser or agent.browser
    session.os = session.os or agent.os
    session.device_type = session.device_type or agent.device_type
    session.bot_reason = agent.bot_reason
    return batch


def read_clock(batch: Batch, settings: Settings) -> Batch:
    """Tells how far the client's clock is off, if it is off by more than `clock_skew`.

    By `sent_at` where the client sends it. Else only a batch from the near future tells: one from the past may be late,
    and a time beyond the late window is no clock's.
    """
    latest = batch.received_at + settings.future_hours * HOUR
    recording = batch.recording
    times = batch.times if recording is None else [*batch.times, recording.client_first, recording.client_last]
    now = batch.sent_at
    if now is None:
        now = max((time for time in times if batch.received_at < time <= latest), default=None)
    if now is not None:
        offset = (batch.received_at - now) // 1000 * 1000  # stored in milliseconds
        newest = max(times, default=now) + offset
        if batch.sent_at is not None and not batch.received_at - settings.late_days * DAY <= newest <= latest:
            return batch  # a `sent_at` of another clock than the events'
        batch.offset = offset if abs(offset) > settings.clock_skew * SECOND else 0
    return batch


def count(batch: Batch) -> Batch:
    """Counts what the session's counters count."""
    batch.counts = _counts(batch.events)
    return batch


def _counts(events: list[Event]) -> Counts:
    kinds = [event.event_type for event in events]
    return Counts(
        events=len(kinds),
        clicks=kinds.count("click"),
        errors=kinds.count("error"),
        pages=kinds.count("pageview"),
        rage_clicks=kinds.count("rage_click"),
    )


def place(batch: Batch, known: Known | None = None, *, settings: Settings, node: Node) -> Batch:
    """Puts the batch in time by what is `known` of its session, else by what it tells itself, and makes rows.

    A time outside the late window is stored as that of receipt; the client's stays in `event_data`.
    """
    known = known or Known(batch.offset or 0)
    shift, received = known.offset, batch.received_at
    low, high = received - settings.late_days * DAY, received + settings.future_hours * HOUR

    def put(times: list[int]) -> list[int]:
        return [time if low <= time <= high else received for time in (time + shift for time in times)]

    batch.placed_with = known
    if batch.ended_at is not None:
        (batch.end,) = put([batch.ended_at])
    placed = put(batch.times)
    if batch.events:
        batch.sent = batch.sent or _sent(batch.events)
    remask(batch, known)
    if batch.events:
        batch.rows = _rows(batch, batch.events, batch.sent, batch.times, placed, shift, node)
    if batch.recording is not None:
        placed += _place_recording(batch, batch.recording, known, put, node)
    if not placed:
        return batch
    batch.first_at, batch.last_at = min(placed), max(placed)
    hours = {hour_of(batch.first_at), hour_of(batch.last_at)}
    batch.hours = hours if len(hours) == 1 else {hour_of(time) for time in placed}
    yesterday = received - received % DAY - DAY
    is_large = batch.image is not None or batch.recording is not None
    batch.lane = Lane.BULK if is_large or batch.first_at < yesterday else Lane.CURRENT
    return batch


def _place_recording(
    batch: Batch, recording: Recording, known: Known, put: Callable[[list[int]], list[int]], node: Node
) -> list[int]:
    """Makes the recording's row, and rows of what was found in it; returns their times.

    Not of a kind that the session's own events tell, and not of the page that its recording is on already: each full
    snapshot names it again.
    """
    first, last = put([recording.client_first, recording.client_last])
    first, last = min(first, last), max(first, last)
    (identifier,) = node.next_ids(1)
    member = {"id": identifier, "at": batch.received_at // 1000, "events": recording.count}
    if recording.initial is not None:
        member["initial"] = recording.initial
    recording.row = (
        identifier,
        batch.project_id,
        UUID(batch.session_id.bytes),
        first,
        last,
        identifier,
        recording.count,
        recording.inflated_size,
        recording.has_full_snapshot,
        recording.client_first,
        recording.client_last,
        _encode([member]),
        recording.data,
    )
    recording.sent = recording.sent or _sent(recording.found)
    start = known.page or batch.session.page_url or ""
    pages = (index for index, event in enumerate(recording.found) if event.event_type == "pageview")
    first_page = next(pages, -1)
    is_repeat = first_page >= 0 and recording.found_pages[first_page] == known.page
    new = [index for index in range(len(recording.found)) if not (is_repeat and index == first_page)]
    recording.counts = _counts([recording.found[index] for index in new])
    shown = [index for index in new if recording.found[index].event_type not in known.told]
    recording.written = frozenset(recording.found[index].event_type for index in shown)
    events = [recording.found[index] for index in shown]
    for index, event in zip(shown, events, strict=True):
        event.page_url = recording.found_pages[index] or start
    times = [recording.found_times[index] for index in shown]
    placed = put(times)
    sent = [recording.sent[index] for index in shown]
    batch.rows = batch.rows[: len(batch.events)] + _rows(batch, events, sent, times, placed, known.offset, node)
    return [first, last, *placed]


def _sent(events: list[Event]) -> list[tuple[Time, Raw]]:
    return [(event.timestamp, event.event_data) for event in events]


def _rows(
    batch: Batch,
    events: list[Event],
    sent: list[tuple[Time, Raw]],
    times: list[int],
    placed: list[int],
    shift: int,
    node: Node,
) -> list[tuple[object, ...]]:
    # asyncpg's own UUID is encoded without a call into Python.
    source = batch.source if events is batch.events else RRWEB
    project_id, session_id = batch.project_id, UUID(batch.session_id.bytes)
    rows: list[tuple[object, ...]] = []
    page, host, path = None, "", ""
    ids = node.next_ids(len(placed))
    for event, identifier, time, client_time, (sent_time, data) in zip(events, ids, placed, times, sent, strict=True):
        kept = data
        if time != client_time + shift:
            kept = with_extra(data, {"$client_timestamp": Raw(_encode(sent_time))})
        if event.page_url != page:
            page = event.page_url
            host, path = split_page(page or "")
        event.timestamp = time
        event.event_data = None if kept in _NO_DATA else kept  # pyright: ignore[reportAttributeAccessIssue] — from here on a row's value, not one to encode
        rows.append((identifier, project_id, session_id, source, host, path, *astuple(event)))
    return rows


def split_page(url: str) -> tuple[str, str]:
    """Host (with port) and path of a URL, without query and fragment, each cut to 512 characters."""
    return _split_page(url) if len(url) <= PAGE_LENGTH else _split(url)


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an unclosed [ in the host
        return "", re.split("[?#]", url, maxsplit=1)[0][:PAGE_LENGTH]
    host = parts.netloc.rpartition("@")[2].lower()
    return host[:PAGE_LENGTH], (parts.path or "/")[:PAGE_LENGTH]


_split_page = lru_cache(maxsize=4096)(_split)


def _no_time(index: int, event: Event) -> int:
    raise Invalid(
        f"`$.events[{index}].timestamp` is {event.timestamp!r}: send an ISO 8601 text, epoch milliseconds or seconds."
    )
