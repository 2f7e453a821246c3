"""The steps of ingest: each takes a batch and returns it changed. None waits for anything."""

from bisect import bisect_right
from collections.abc import Iterable
from operator import itemgetter

from tracker_backend.errors import Invalid
from tracker_backend.event import NO_DATA, Event
from tracker_backend.ingest.agent import parse_agent
from tracker_backend.ingest.batch import Batch, Counts, SessionFields
from tracker_backend.ingest.batch_identity import digest_of, former_identity_of, identity_of
from tracker_backend.masking import budget
from tracker_backend.masking.events import mask_events
from tracker_backend.masking.rules import Rules, rules_of
from tracker_backend.masking.secret_fields import bounded
from tracker_backend.recordings.reading import read_recording
from tracker_backend.recordings.recording import Recording
from tracker_backend.settings import Settings
from tracker_backend.text_cleaning import check_numbers
from tracker_backend.times import parse_time

EVENT_TYPE_LENGTH = 50
ELEMENT_LENGTH = 255
NATIVE = "native"
"""The source of events that `v1` clients send. Other dialects' events carry the dialect's name."""
_EVENT_BYTES = 200  # of an event in memory, beside its data
_SESSION_TEXTS = ("page_url", "referrer", "device_type", "browser", "os", "language")


def read_times(batch: Batch, _settings: Settings) -> Batch:
    """Reads the client's times; Invalid names the event whose time cannot be read."""
    if batch.events:
        batch.times = [
            time if (time := parse_time(event.timestamp)) is not None else _no_time(index, event)
            for index, event in enumerate(batch.events)
        ]
    return batch


def mask_secrets(batch: Batch, _settings: Settings) -> Batch:
    """Masks session and events by the project's rules. Masking again changes nothing.

    It comes before `identify`, so that not even a digest is made of a secret.
    """
    rules = rules_of(batch.project.masking)
    with budget.limited(batch.size) as is_spent:
        _mask_session(rules, batch.session)
        if batch.client_stats is not None:
            batch.client_stats = rules.json(batch.client_stats)
        if batch.image is not None:
            batch.image.page_url = rules.text(batch.image.page_url)
        if batch.events:
            masked = mask_events(rules, batch.events)
            batch.open_fields = masked.open
            if masked.secret:
                batch.secret_fields = bounded(frozenset(masked.secret))
        batch.is_unsearched |= is_spent()
    return batch


def pack_recording(batch: Batch, settings: Settings) -> Batch:
    """Makes the recording of a batch's rrweb events: checked, masked by the project's rules, and packed.

    Invalid and TooLarge as `read_recording` raises them.
    """
    if batch.rrweb:
        with budget.limited(sum(map(len, batch.rrweb))) as is_spent:
            recording = read_recording(
                batch.rrweb,
                settings.max_recording,
                batch.project.masking,
                is_initial=batch.is_initial,
                field=batch.rrweb_field,
            )
            batch.is_unsearched |= is_spent()
        batch.recording, batch.rrweb = recording, []
        batch.size = len(recording.data) + sum(len(event.event_data) + _EVENT_BYTES for event in batch.events)
    if batch.recording is not None and batch.recording.secret_inputs:
        batch.secret_fields = bounded(batch.secret_fields | batch.recording.secret_inputs)
    return batch


def identify(batch: Batch, _settings: Settings) -> Batch:
    """Gives the batch its identity, and a digest of its content where the identity is a name.

    An import's names are digests themselves, of a file that may be stored with other times.
    """
    batch.identity = identity_of(batch)
    batch.former_identity = former_identity_of(batch)
    if batch.name is not None and not batch.name_is_digest:
        batch.digest = digest_of(batch)
    return batch


def truncate_fields(batch: Batch, _settings: Settings) -> Batch:
    """Cuts texts to the length of their columns; Invalid for numbers that no column holds."""
    for index, event in enumerate(batch.events):
        if event.event_data not in NO_DATA:
            check_numbers(event.event_data, f"$.events[{index}].event_data")
        if len(event.event_type) > EVENT_TYPE_LENGTH:
            event.event_type = event.event_type[:EVENT_TYPE_LENGTH]
        if event.target_element is not None and len(event.target_element) > ELEMENT_LENGTH:
            event.target_element = event.target_element[:ELEMENT_LENGTH]
    return batch


def fill_pages(batch: Batch, _settings: Settings) -> Batch:
    """Fills in the page of events that name none.

    Beside a recording it is the page that the recording was on at that time, else the page of the event before, and for
    the first events the first page that is named.
    """
    if batch.events and batch.recording is not None:
        _fill_recorded_pages(batch.events, batch.times, batch.recording)
    page = batch.session.page_url
    if page is None:
        page = _first_page(batch.events)
        if page is None and batch.events and batch.source == NATIVE:
            raise Invalid("no event names its `page_url`, and the session is not known with one: add it to the events.")
        if page is None and batch.recording is not None:
            page = next((found.page_url for found in batch.recording.found if found.page_url), None)
        batch.session.page_url = page
    for event in batch.events:
        if event.page_url:
            page = event.page_url
        else:
            event.page_url = page or ""
    return batch


def describe_agent(batch: Batch, _settings: Settings) -> Batch:
    """Fills in browser, system and device from the user agent, and labels bots. Robots name an e-mail in it."""
    session = batch.session
    agent = parse_agent(session.user_agent or "")
    session.user_agent = session.user_agent and rules_of(batch.project.masking).name(session.user_agent)
    session.browser = session.browser or agent.browser
    session.os = session.os or agent.os
    session.device_type = session.device_type or agent.device_type
    session.bot_reason = agent.bot_reason
    return batch


def count_events(batch: Batch, _settings: Settings) -> Batch:
    """Counts events for the session's counters."""
    batch.counts = counts_of(batch.events)
    return batch


def counts_of(events: Iterable[Event]) -> Counts:
    """The counts of these events."""
    kinds = [event.event_type for event in events]
    return Counts(
        events=len(kinds),
        clicks=kinds.count("click"),
        errors=kinds.count("error"),
        pages=kinds.count("pageview"),
        rage_clicks=kinds.count("rage_click"),
    )


def _mask_session(rules: Rules, session: SessionFields) -> None:
    for name in _SESSION_TEXTS:
        text: str | None = getattr(session, name)
        if text is not None:
            setattr(session, name, rules.text(text))
    if session.metadata is not None:
        check_numbers(session.metadata, "metadata")
        session.metadata = rules.json(session.metadata)


def _fill_recorded_pages(events: list[Event], times: list[int], recording: Recording) -> None:
    views = [(found.time, found.page_url) for found in recording.found if found.event.event_type == "pageview"]
    for event, time in zip(events, times, strict=True):
        if not event.page_url:
            index = bisect_right(views, time, key=itemgetter(0))
            event.page_url = views[index - 1][1] if index else None


def _first_page(events: Iterable[Event]) -> str | None:
    return next((event.page_url for event in events if event.page_url), None)


def _no_time(index: int, event: Event) -> int:
    raise Invalid(
        f"`$.events[{index}].timestamp` is {event.timestamp!r}: send an ISO 8601 text, epoch milliseconds or seconds."
    )
