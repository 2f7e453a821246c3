"""From stored rows of a recording to fewer and larger ones: the same events in the same order.

The `batches` of a packed row is `{"batches": [...], "runs": [[index, events], ...]}`: the batches that its events came
from, each as it stood in the row of its own, and for the events in order how many came from which. Nothing else is kept
of the rows before, so rows that are packed again give the same.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tracker_backend.recordings.frames import PACKED_LEVEL, decode_frame, encode_frame, join_events
from tracker_backend.recordings.replay import RowHead
from tracker_backend.recordings.rrweb_events import FULL_SNAPSHOT, META, client_time, is_type
from tracker_backend.times import DAY, from_datetime

FRAME = 1024 * 1024
"""Bytes of JSON in a packed frame. A single larger event has one of its own."""

Frame = tuple[Any, ...]
"""A new row's values from `timestamp` on."""


class PackableRow(RowHead, frozen=True):
    """A row without its data, with what packing must know."""

    last_at: datetime
    inflated_size: int
    is_loose: bool
    """As it was received: not packed yet."""

    @property
    def day(self) -> int:
        """That of its partition or chunk, since 1970."""
        return from_datetime(self.timestamp) // DAY

    def placed(self, first: int, last: int) -> tuple[int, int]:
        """When events of these times by the client's clock happened. The row's own bounds if it was not only moved: its
        client's times were outside the late window.
        """
        begin, end = from_datetime(self.timestamp), from_datetime(self.last_at)
        shift = begin - self.client_first
        return (first + shift, last + shift) if end - self.client_last == shift else (begin, end)


class _Index(Struct):
    batches: list[Raw]
    runs: list[tuple[int, int]]


class _Batch(Struct):
    id: int


_Owned = tuple[bytes, Raw, PackableRow]
"""An event, the batch it came from, and the row that held it."""

_stored = msgspec.json.Decoder(list[Raw] | _Index)
_batch = msgspec.json.Decoder(_Batch)
_encode = msgspec.json.Encoder().encode


class Packer:
    """Takes the rows of a stretch run by run, in the order of replay, and gives frames as they are full.

    All new rows share the newest `arrival` of the old ones: what comes later sorts behind them, and among themselves
    their ids decide.
    """

    def __init__(self, rows: Sequence[PackableRow]) -> None:
        self._arrival = max(row.arrival for row in rows)
        self._end_of_day = (rows[0].day + 1) * DAY - 1
        self._events: list[_Owned] = []
        self._size = -1  # the first event has no comma

    def add(self, run: Sequence[tuple[PackableRow, bytes, bytes]]) -> list[Frame]:
        """Adds rows that overlap, or one, each with `data` and `batches`; returns frames that are full now."""
        events = [
            (event, batch, row)
            for row, data, batches in sorted(run, key=lambda it: it[0].arrival)
            for event, batch in zip(decode_frame(data), _batch_of_each(batches, row.event_count), strict=True)
        ]
        if len(run) > 1:
            events.sort(key=lambda it: client_time(it[0]))
        frames: list[Frame] = []
        for event in events:
            size = len(event[0]) + 1
            if self._events and self._size + size > FRAME:
                frames += self._flush()
            self._events.append(event)
            self._size += size
        return frames

    def finish(self) -> list[Frame]:
        """The last frame."""
        return [self._pack(self._events)] if self._events else []

    def _flush(self) -> list[Frame]:
        # A page's Meta event stays with the full snapshot behind it, at which a reader begins.
        is_open = is_type(self._events[-1][0], META)
        kept = self._events[-1:] if is_open else []
        events = self._events[: len(self._events) - len(kept)]
        self._events = kept
        self._size = sum(len(event[0]) + 1 for event in kept) - 1
        return [self._pack(events)] if events else []

    def _pack(self, events: list[_Owned]) -> Frame:
        texts = [text for text, _, _ in events]
        text = join_events(texts)
        first, last = self._bounds(events)
        return (
            first,
            last,
            self._arrival,
            len(texts),
            len(text),
            any(row.has_full_snapshot and is_type(event, FULL_SNAPSHOT) for event, _, row in events),
            client_time(texts[0]),
            client_time(texts[-1]),
            _encode(_index(events)),
            encode_frame(text, PACKED_LEVEL),
        )

    def _bounds(self, events: list[_Owned]) -> tuple[int, int]:
        """When the events happened. The first never on another day than the rows': a row may last over midnight."""
        rows = {row.recording_id: row for _, _, row in events}
        first = {row.recording_id: event for event, _, row in reversed(events)}
        last = {row.recording_id: event for event, _, row in events}
        placed = [row.placed(client_time(first[key]), client_time(last[key])) for key, row in rows.items()]
        return min(self._end_of_day, *(begin for begin, _ in placed)), max(end for _, end in placed)


def _batch_of_each(batches: bytes, events: int) -> list[Raw]:
    stored = _stored.decode(batches)
    if isinstance(stored, _Index):
        return [stored.batches[index] for index, count in stored.runs for _ in range(count)]
    return stored[:1] * events


def _index(events: Sequence[_Owned]) -> _Index:
    batches: dict[int, Raw] = {}
    runs: list[tuple[int, int]] = []
    numbers: dict[int, int] = {}
    before: Raw | None = None
    for _, batch, _ in events:
        if batch is before:
            index, count = runs[-1]
            runs[-1] = (index, count + 1)
            continue
        before = batch
        identifier = _batch.decode(batch).id
        batches.setdefault(identifier, batch)
        number = numbers.setdefault(identifier, len(numbers))
        if runs and runs[-1][0] == number:
            runs[-1] = (number, runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return _Index(list(batches.values()), runs)
