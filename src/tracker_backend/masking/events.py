"""Masks a batch before anything else is made of it: what the browser marked, what looks like a secret, printing keys.

A field that once looked secret stays masked for good. Its names go to the session with the batch (`Batch.masked`), and
`remask` masks what later batches hold of it (`Batch.open`).
"""

from collections.abc import Set as AbstractSet
from typing import Any, cast

import msgspec
from msgspec import Raw

from tracker_backend.ingest.batch import EVERY_FIELD, MOST_FIELDS, Batch, Known, SessionFields
from tracker_backend.ingest.wire import Event
from tracker_backend.masking import input_events
from tracker_backend.masking.form_fields import UNNAMED, Field, field_of
from tracker_backend.masking.html_fields import without_value
from tracker_backend.masking.patterns import MASK, is_secret_value, may_become_secret
from tracker_backend.masking.rrweb import remask_frame
from tracker_backend.masking.rules import Rules, rules_of
from tracker_backend.masking.targets import Target, target_of
from tracker_backend.text_cleaning import check_numbers

_COMMON = frozenset({"mousemove", "scroll", "click", "pageview", "input", "custom", "error", "keydown"})
_NOTHING: frozenset[str] = frozenset()
_SESSION_TEXTS = ("page_url", "referrer", "device_type", "browser", "os", "language")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def mask(batch: Batch) -> Batch:
    """Masks what the batch holds, by the project's rules; masking again changes nothing."""
    rules = rules_of(batch.masking)
    _mask_session(rules, batch.session)
    if batch.client_stats is not None:
        batch.client_stats = rules.json(batch.client_stats)
    if batch.image is not None:
        batch.image.page_url = rules.text(batch.image.page_url)
    secret = _mask_events(rules, batch) if batch.events else _NOTHING
    if batch.recording is not None:
        secret = secret | batch.recording.masked
    if secret:
        batch.masked = frozenset(secret) if len(secret) <= MOST_FIELDS else frozenset({EVERY_FIELD})
    return batch


def remask(batch: Batch, known: Known) -> None:
    """Masks what the batch holds of fields that once looked secret."""
    if not known.masked:
        return
    for index, keys in list(batch.open.items()):
        if keys & known.masked or EVERY_FIELD in known.masked:
            time, data = batch.sent[index]
            batch.sent[index] = (time, _hide(batch.events[index], data))
            del batch.open[index]
    if batch.recording is not None and batch.recording.open:
        remask_frame(batch.recording, known.masked)


def hide_stored(rules: Rules, event: Event, masked: frozenset[str]) -> bool:
    """Masks a stored event if it is of one of these fields; whether it was changed."""
    told = _object(event.event_data) if event.event_type.lower() in input_events.TYPING else None
    field = _field(rules, event, told)
    if not (field.keys & masked or EVERY_FIELD in masked):
        return False
    before = (event.input_value, event.target_element, event.event_data)
    event.event_data = _hide(event, event.event_data)
    return (event.input_value, event.target_element, event.event_data) != before


def _mask_session(rules: Rules, session: SessionFields) -> None:
    for name in _SESSION_TEXTS:
        text: str | None = getattr(session, name)
        if text is not None:
            setattr(session, name, rules.text(text))
    if session.metadata is not None:
        check_numbers(session.metadata, "metadata")
        session.metadata = rules.json(session.metadata)


def _mask_events(rules: Rules, batch: Batch) -> AbstractSet[str]:
    """Masks events; returns the names of secret fields."""
    page = masked_page = None
    inputs: list[tuple[int, Target | None]] = []
    for index, event in enumerate(batch.events):
        url = event.page_url
        if url is not None:
            if url != page:
                page, masked = url, rules.text(url)
                masked_page = None if masked == url else masked
            if masked_page is not None:
                event.page_url = masked_page
        target = None
        if event.target_element or event.target_selector or event.target_tag or event.target_class or event.target_id:
            target = target_of(rules, event)
        if (
            (target is None or target.is_clean)
            and len(event.event_data) == 0
            and event.input_value is None
            and event.key_pressed is None
            and event.event_type in _COMMON
        ):
            continue  # a move of the pointer or a click, as most events are
        if _mask_event(rules, event, target, index):
            inputs.append((index, target))
    return _mask_inputs(rules, batch, inputs) if inputs else _NOTHING


def _mask_event(rules: Rules, event: Event, target: Target | None, index: int) -> bool:
    """Masks what is no input in an event; whether it may tell what was typed."""
    kind, is_input = event.event_type, event.input_value is not None
    if kind not in _COMMON:
        event.event_type = rules.text(kind)
    if event.key_pressed is not None and not input_events.NAMED_KEY.match(event.key_pressed):
        event.key_pressed = input_events.CHAR
    if target is not None:
        is_input = is_input or target.tells_value
        if not target.is_clean:
            event.target_selector, event.target_tag = target.selector, target.tag
            event.target_id, event.target_class = target.id, target.class_
    if len(event.event_data) > 0:
        data = bytes(event.event_data)
        is_input = is_input or _is_typing(kind, data)
        if not is_input:
            event.event_data = _json(rules, event.event_data, data, index)
    if target is not None and not is_input:
        event.target_element = target.element
    return is_input


def _mask_inputs(rules: Rules, batch: Batch, inputs: list[tuple[int, Target | None]]) -> set[str]:
    """Masks events that tell what was typed; returns the names of secret fields."""
    secret: set[str] = set()
    found: list[tuple[int, frozenset[str], bool]] = []
    for index, target in inputs:
        event = batch.events[index]
        if len(event.event_data) > 0:
            check_numbers(event.event_data, f"$.events[{index}].event_data")
        told = _object(event.event_data)
        field = _field(rules, event, told)
        is_secret = bool(event.input_masked) or (told is not None and input_events.is_marked(told))
        if is_secret:
            # Of an event that names no field only itself is marked, not all others that name none.
            secret |= field.keys - UNNAMED
        elif not field.is_allowed:
            values = _values(event, target, told)
            if field.looks_secret or any(is_secret_value(value) for value in values):
                is_secret = True
                secret |= field.keys
            elif event.event_type.lower() != "change":
                is_secret = any(may_become_secret(value) for value in values)
        _mask_input(rules, event, target, told, index, is_allowed=field.is_allowed)
        found.append((index, field.keys, is_secret or rules.all_inputs))
    for index, keys, is_hidden in found:
        event = batch.events[index]
        if is_hidden or not secret.isdisjoint(keys):
            event.event_data = _hide(event, event.event_data)
        else:
            batch.open[index] = keys
    return secret


def _values(event: Event, target: Target | None, told: dict[str, Any] | None) -> list[str]:
    """What an event tells of a typed value."""
    values = [] if told is None else input_events.values(told)
    if event.input_value:
        values.append(event.input_value)
    if event.target_element is not None and target is not None and target.tells_value:
        values.append(event.target_element)
    return values


def _mask_input(
    rules: Rules, event: Event, target: Target | None, told: dict[str, Any] | None, index: int, *, is_allowed: bool
) -> None:
    """Masks keys and, where it is not allowed, what looks like a secret."""
    if told is not None:
        is_changed = input_events.drop_keys(told)
        if not is_allowed:
            is_changed |= rules.walk(told)
        if is_changed:
            event.event_data = Raw(_encode(told))
    elif len(event.event_data) > 0:
        event.event_data = _json(rules, event.event_data, bytes(event.event_data), index)
    if not is_allowed:
        if event.input_value is not None:
            event.input_value = rules.text(event.input_value)
        if target is not None:
            event.target_element = target.element


def _field(rules: Rules, event: Event, told: dict[str, Any] | None) -> Field:
    more = () if told is None else input_events.about(told)
    return field_of(rules, event.target_element, event.target_id, event.target_class, event.target_selector, more)


def _hide(event: Event, data: Raw) -> Raw:
    """Masks what an event tells of a typed value; returns its data without it."""
    if event.input_value:
        event.input_value = MASK
    if event.target_element is not None:
        event.target_element = without_value(event.target_element)
    told = _object(data)
    return Raw(_encode(told)) if told is not None and input_events.hide(told) else data


def _is_typing(kind: str, data: bytes) -> bool:
    if kind.lower() in input_events.TYPING:
        return True
    return b'Code"' in data and (b'eyCode"' in data or b'harCode"' in data)


def _json(rules: Rules, data: Raw, text: bytes, index: int) -> Raw:
    """An event's data, and the same as bytes, without the secrets in it."""
    masked = rules.json(text)
    if masked is text:
        return data
    check_numbers(data, f"$.events[{index}].event_data")
    return Raw(masked)


def _object(data: Raw | None) -> dict[str, Any] | None:
    """The data, if it is an object that can be decoded."""
    if data is None or len(data) == 0 or not bytes(data).startswith(b"{"):
        return None
    try:
        return cast("dict[str, Any]", _decode(data))
    except (msgspec.MsgspecError, RecursionError):
        return None
