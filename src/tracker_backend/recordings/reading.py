"""Reads a batch of rrweb events: unpacks, checks, masks, sorts and packs it, and extracts events from it."""

from collections.abc import Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import TypeVar

from msgspec import Raw

from tracker_backend.accounts.project_settings import Masking
from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.json_depth import has_room
from tracker_backend.masking.rrweb import mask_rrweb_events
from tracker_backend.masking.rules import rules_of
from tracker_backend.recordings.extraction import extract_events
from tracker_backend.recordings.frames import encode_frame, join_events
from tracker_backend.recordings.normalizing import normalize
from tracker_backend.recordings.packed_events import Unpacker
from tracker_backend.recordings.recording import Recording
from tracker_backend.recordings.rrweb_events import (
    FULL_SNAPSHOT,
    decode_head,
    decode_list,
    read_client_time,
)

T = TypeVar("T")


def read_recording(
    events: Sequence[Raw] | bytes,
    limit: int,
    masking: Masking,
    *,
    is_initial: bool | None = None,
    field: str = "events",
) -> Recording:
    """A list of rrweb events, or the JSON text of one, as it is stored: masked by the project's rules before anything
    else is made of it.

    `is_initial` is what a client said of the batch, `field` the name of the list in the request. Raises TooLarge over
    `limit` bytes, Invalid with the place and the reason for what is not a list of rrweb events.
    """
    if isinstance(events, bytes):
        events = decode_list(events)
    if not events:
        raise Invalid(f"`{field}` is empty: send at least one rrweb event.")
    texts = [bytes(event) for event in events]
    unpacker = Unpacker(limit)
    texts = [unpacker.unpack(text, f"$.{field}[{index}]") for index, text in enumerate(texts)]
    size = sum(map(len, texts)) + len(texts) - 1
    if size > limit:
        raise TooLarge(f"the rrweb events have {size} bytes, more than {limit}: send smaller batches.")
    if not has_room(join_events(texts)):
        raise Invalid(f"`$.{field}` is nested too deeply: a page may have 1,000 elements in one another.")
    normalized = [normalize(text, f"$.{field}[{index}]") for index, text in enumerate(texts)]
    texts, heads = [text for text, _ in normalized], [head for _, head in normalized]
    times = [read_client_time(head, f"$.{field}[{index}]") for index, head in enumerate(heads)]
    masked = mask_rrweb_events(rules_of(masking), texts, [head.type for head in heads])
    for index, text in masked.changed.items():
        texts[index], heads[index] = text, decode_head(text, f"$.{field}[{index}]")
    text = join_events(texts)
    digest = blake2b(text, digest_size=16).digest()
    if any(one > two for one, two in pairwise(times)):
        order = sorted(range(len(times)), key=times.__getitem__)
        texts, heads, times = _take(texts, order), _take(heads, order), _take(times, order)
        text = join_events(texts)
    found = extract_events(heads, times)
    pages = [each.page_url for each in found if each.event.event_type == "pageview"]
    return Recording(
        count=len(texts),
        inflated_size=len(text),
        client_first=times[0],
        client_last=times[-1],
        has_full_snapshot=any(head.type == FULL_SNAPSHOT for head in heads),
        digest=digest,
        data=encode_frame(text),
        is_initial=is_initial,
        found=found,
        last_page=pages[-1] if pages else None,
        secret_inputs=masked.secret,
        late_secret_inputs=masked.late,
        open_inputs=masked.open - masked.secret,
    )


def _take(values: list[T], order: list[int]) -> list[T]:
    return [values[index] for index in order]
