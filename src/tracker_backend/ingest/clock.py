"""The client's clock: how far it is off, and batches that show that it was corrected."""

from msgspec.structs import replace

from tracker_backend.ingest.batch import Batch
from tracker_backend.recordings.recording import shift_recording
from tracker_backend.settings import Settings
from tracker_backend.threads import run_in_thread_if_large
from tracker_backend.times import DAY, HOUR, SECOND

MOST_OFFSET = 100 * 366 * DAY
"""Microseconds. Clocks without a battery begin in 1970, 1980 or 2000, and those of 32 bits end in 2038 or 2106: what is
further away is no clock.
"""
_SLOW = 300 * SECOND  # a request that took this long on its way looks like a clock that was set back


def estimate_clock_offset(batch: Batch, settings: Settings) -> Batch:
    """Estimates how far the client's clock is off; 0 within `clock_skew`.

    With `sent_at`, by it. Without, only a batch from the near future shows an offset: one from the past may be late,
    and a time beyond the late window is not a clock's.
    """
    latest = batch.received_at + settings.future_hours * HOUR
    times = _client_times(batch)
    now = batch.sent_at
    if now is None:
        now = max((time for time in times if batch.received_at < time <= latest), default=None)
    if now is not None:
        offset = (batch.received_at - now) // 1000 * 1000  # stored in milliseconds
        if abs(offset) > MOST_OFFSET:
            return batch
        newest = max(times, default=now) + offset
        if batch.sent_at is not None and not batch.received_at - settings.late_days * DAY <= newest <= latest:
            return batch  # a `sent_at` of another clock than the events'
        batch.offset = offset if abs(offset) > settings.clock_skew * SECOND else 0
    return batch


def correction_of(batch: Batch, offset: int, settings: Settings) -> int:
    """How far the clock was moved since it had the session's `offset`, in microseconds; 0 where `sent_at` shows no
    correction.

    Events that are newer than `sent_at` were captured before a clock was set back: they keep the session's offset.
    """
    if batch.sent_at is None or batch.offset is None:
        return 0
    change, skew = batch.offset - offset, settings.clock_skew * SECOND
    if -2 * skew <= change <= max(2 * skew, _SLOW):
        return 0
    return 0 if max(_client_times(batch), default=0) > batch.sent_at + skew else change


async def with_session_clock(batch: Batch, correction: int) -> Batch:
    """A copy of a batch whose times, also those in its recording, are by the clock that the session began with.

    So a session has one offset, whatever its clock was set to meanwhile.
    """
    recording = batch.recording
    if recording is not None:
        size = recording.inflated_size
        recording = await run_in_thread_if_large(size, shift_recording, recording, correction)
    return replace(
        batch,
        times=[time + correction for time in batch.times],
        ended_at=None if batch.ended_at is None else batch.ended_at + correction,
        recording=recording,
    )


def _client_times(batch: Batch) -> list[int]:
    recording = batch.recording
    return batch.times if recording is None else [*batch.times, recording.client_first, recording.client_last]
