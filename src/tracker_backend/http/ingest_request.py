"""What every write route reads first: the caller, the text of the body, the time and the browser."""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from uuid import UUID

from msgspec import Struct

from tracker_backend.errors import Invalid
from tracker_backend.event import Time
from tracker_backend.http.body import clean_body, read_body
from tracker_backend.http.body_memory import held_bytes
from tracker_backend.http.caller import Caller
from tracker_backend.http.client_address import truncated
from tracker_backend.http.drop_reasons import privacy_signal, set_drop_reason
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services, services_of
from tracker_backend.ingest.agent import AGENT_LENGTH
from tracker_backend.ingest.batch import Batch, Drop, Outcome, SessionFields
from tracker_backend.ingest.dropping import is_sampled
from tracker_backend.metrics import DROPPED, ODD_VALUES
from tracker_backend.text_cleaning import clean_json, clean_text
from tracker_backend.threads import run_in_thread_if_large
from tracker_backend.times import parse_time

T = TypeVar("T")


class IngestRequest(Struct):
    """A write request whose caller is authorized and whose body is not decoded yet."""

    services: Services
    caller: Caller
    text: bytes
    """The JSON text of the body, decompressed and cleaned."""
    inflated: bytes
    """The same before it was cleaned, for members that hold compressed data."""
    received_at: int
    """Microseconds since 1970."""
    user_agent: str
    set_drop_reason: Callable[[Drop], None]
    """Adds the reason to the answer's headers."""
    privacy_signal: Drop | None = None
    """The header by which the browser objects to being recorded, if the settings honour it."""
    client_address: str | None = None
    """The caller's network, if the settings have it stored."""

    def drop_of(self, session_id: UUID) -> Drop | None:
        """Why nothing of this session is stored, as far as a request tells before it is read."""
        project = self.caller.settings
        if self.privacy_signal is None and not is_sampled(self.caller.project_id, session_id, project.sampling_rate):
            return Drop.SAMPLED
        return self.privacy_signal

    def batch(self, session_id: UUID, session: SessionFields | None = None, size: int | None = None) -> Batch:
        """An empty batch of this caller for a session; `size` where it is not that of the body."""
        fields = session or SessionFields()
        fields.user_agent = fields.user_agent or self.user_agent
        fields.client_address = self.client_address
        return Batch(
            project_id=self.caller.project_id,
            session_id=session_id,
            received_at=self.received_at,
            size=len(self.text) if size is None else size,
            session=fields,
            project=self.caller.settings,
            privacy_signal=self.privacy_signal,
        )

    async def recorded(self, sent: T, decode: Callable[[bytes], T]) -> T:
        """What a body holds of rrweb events (`sent`, as `decode` takes it out of the text) with U+0000 as it was sent:
        binary data in them is destroyed without.
        """
        if b"\\u0000" not in self.inflated:
            return sent
        return await run_in_thread_if_large(
            len(self.inflated), lambda: decode(clean_json(self.inflated, keep_null=True))
        )

    async def submit(self, batch: Batch) -> Outcome:
        """Stores the batch unless a step drops it; returns after the commit."""
        outcome = await self.services.pipeline.submit(batch)
        if outcome.dropped is not None:
            DROPPED.labels(outcome.dropped.value).inc()
            self.set_drop_reason(outcome.dropped)
        return outcome


async def read_ingest_request(
    request: AnyRequest, body: bytes, read_key: Callable[[bytes], str | None] | None = None
) -> IngestRequest:
    """Reads the body. `authorize_request` has found the caller before, except on routes with `key_in_body` where no
    other key was sent: there `read_key` reads it.
    """
    received_at = time.time_ns() // 1000
    services = services_of(request)
    limit = services.settings.max_body
    inflated = await read_body(request, body, limit)
    text = await clean_body(inflated)
    body_key = None if read_key is None else await run_in_thread_if_large(len(text), read_key, text)
    caller: Caller | None = request.scope["state"].get("caller")
    if caller is None:  # a route with `key_in_body`
        caller = await services.access.authorize(request, body_key=body_key)
        held_bytes(request).identify()
    headers = request.headers
    agent = clean_text(headers.get("user-agent", "")[:AGENT_LENGTH])
    is_kept = services.settings.store_address == "truncated"
    return IngestRequest(
        services,
        caller,
        text,
        inflated,
        received_at,
        agent,
        partial(set_drop_reason, request),
        privacy_signal(headers, services.settings),
        truncated(services.access.addresses.of(request)) if is_kept else None,
    )


def client_clock(value: Time | None, field: str) -> int | None:
    """The client's clock at its attempt, in microseconds; None if it says nothing that can be read.

    A batch is stored without it. `field` is counted.
    """
    parsed = None if value is None else parse_time(value)
    if value is not None and parsed is None:
        ODD_VALUES.labels(field).inc()
    return parsed


def time_of(value: Time, field: str) -> int:
    """A client's time in microseconds; Invalid names the field."""
    parsed = parse_time(value)
    if parsed is None:
        raise Invalid(f"`{field}` is {value!r}: send an ISO 8601 text, epoch milliseconds or epoch seconds.")
    return parsed
