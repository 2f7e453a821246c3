"""Masks events: what the browser marked, what looks like a secret, printing keys.

A field that once looked secret stays masked for good: `mask_events` names the secret fields of a batch, and
`hide_fields` masks what other batches of the session hold of them.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from tracker_backend.event import Event
from tracker_backend.masking import input_events
from tracker_backend.masking.form_fields import UNNAMED, Field, field_of
from tracker_backend.masking.html_fields import without_value
from tracker_backend.masking.json_values import CLOSED, UNREADABLE, decode, encode
from tracker_backend.masking.patterns import MASK, is_secret_value, may_become_secret
from tracker_backend.masking.rules import Rules
from tracker_backend.masking.secret_fields import overlaps
from tracker_backend.masking.selectors import MOST_TYPED, without_typed
from tracker_backend.masking.targets import Target, has_value, target_of
from tracker_backend.text_cleaning import check_numbers

_COMMON = frozenset({"mousemove", "scroll", "click", "pageview", "input", "custom", "error", "keydown"})
_NOTHING: frozenset[str] = frozenset()


class MaskedEvents(Struct, frozen=True):
    """What masking found out about a list of events."""

    secret: AbstractSet[str] = _NOTHING
    """Names of fields that look secret."""
    open: dict[int, frozenset[str]] = {}
    """Events that still hold a typed value, by their index: the names of its field."""


def mask_events(rules: Rules, events: Sequence[Event]) -> MaskedEvents:
    """Masks events in place by a project's rules; masking again changes nothing."""
    page = masked_page = None
    inputs: list[tuple[int, Target | None]] = []
    for index, event in enumerate(events):
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
    return _mask_inputs(rules, events, inputs) if inputs else MaskedEvents()


def hide_fields(events: Sequence[Event], open_fields: dict[int, frozenset[str]], secret: frozenset[str]) -> list[Event]:
    """The events without the typed values of secret fields. Events that hold one are copied, the others are the same.

    `open_fields` are `MaskedEvents.open` of these events.
    """
    hidden = list(events)
    for index, names in open_fields.items():
        if overlaps(names, secret):
            hidden[index] = msgspec.structs.replace(events[index])
            _hide_value(hidden[index])
    return hidden


def hide_stored(rules: Rules, event: Event, secret: frozenset[str]) -> bool:
    """Masks a stored event if its field is secret; whether it was changed."""
    data = _object(event.event_data) if event.event_type.lower() in input_events.TYPING else None
    if not overlaps(_field(rules, event, data).names, secret):
        return False
    before = (event.input_value, event.target_element, event.event_data)
    _hide_value(event)
    return (event.input_value, event.target_element, event.event_data) != before


def _mask_event(rules: Rules, event: Event, target: Target | None, index: int) -> bool:
    """Masks what is no input in an event; whether it may hold what was typed."""
    kind, is_input = event.event_type, event.input_value is not None
    if kind not in _COMMON:
        event.event_type = rules.text(kind)
    if event.key_pressed is not None and not input_events.NAMED_KEY.match(event.key_pressed):
        event.key_pressed = input_events.CHAR
    if target is not None:
        is_input = is_input or target.has_value
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


def _mask_inputs(rules: Rules, events: Sequence[Event], inputs: list[tuple[int, Target | None]]) -> MaskedEvents:
    """Masks events that may hold what was typed."""
    secret: set[str] = set()
    found: list[tuple[int, frozenset[str], bool]] = []
    for index, target in inputs:
        event = events[index]
        if len(event.event_data) > 0:
            check_numbers(event.event_data, f"$.events[{index}].event_data")
        data = _object(event.event_data)
        field = _field(rules, event, data)
        is_secret, names = _secret_names(rules, event, field, data, _values(event, target, data))
        secret |= names
        _mask_input(rules, event, target, data, index, is_allowed=field.is_allowed)
        is_kept = not rules.all_inputs or field.is_allowed or _is_unmasked(event, data)
        if is_secret or not is_kept:
            _hide_value(event, is_secret=is_secret)
        found.append((index, field.names, is_secret or not is_kept))
    open_fields: dict[int, frozenset[str]] = {}
    for index, names, is_hidden in found:
        if not secret.isdisjoint(names):
            _hide_value(events[index])
        elif not is_hidden:
            open_fields[index] = names
    return MaskedEvents(secret, open_fields)


def _secret_names(
    rules: Rules, event: Event, field: Field, data: dict[str, Any] | None, values: list[str]
) -> tuple[bool, frozenset[str]]:
    """Whether an event's value is secret, and the names of its field if that is secret from now on."""
    if event.input_masked or (data is not None and input_events.is_marked(data)):
        # A client that masks all fields does not say which are secret. An event that names no field marks only itself,
        # not all others that name none.
        is_own = not rules.all_inputs or any(value != MASK for value in values)
        return True, field.names - UNNAMED if is_own else _NOTHING
    if field.is_allowed:
        return False, _NOTHING
    if field.looks_secret or any(is_secret_value(value) for value in values):
        return True, field.names
    return event.event_type.lower() != "change" and any(may_become_secret(value) for value in values), _NOTHING


def _is_unmasked(event: Event, data: dict[str, Any] | None) -> bool:
    """The page wants the value to be stored."""
    return event.input_masked is False or (data is not None and input_events.is_unmasked(data))


def _values(event: Event, target: Target | None, data: dict[str, Any] | None) -> list[str]:
    """What an event holds of a typed value."""
    values = [] if data is None else input_events.values(data)
    if event.input_value:
        values.append(event.input_value)
    if event.target_element is not None and target is not None and target.has_value:
        values.append(event.target_element)
    return values


def _mask_input(
    rules: Rules, event: Event, target: Target | None, data: dict[str, Any] | None, index: int, *, is_allowed: bool
) -> None:
    """Masks keys and, unless the field is allowed, what looks like a secret."""
    if data is not None:
        is_changed = input_events.drop_keys(data)
        try:
            if not is_allowed:
                is_changed |= rules.mask_object(data)
            if is_changed:
                event.event_data = Raw(encode(data))
        except UNREADABLE:
            event.event_data = Raw(CLOSED)
    elif len(event.event_data) > 0:
        event.event_data = _json(rules, event.event_data, bytes(event.event_data), index)
    if not is_allowed:
        if event.input_value is not None:
            event.input_value = rules.text(event.input_value)
        if target is not None:
            event.target_element = target.element


def _field(rules: Rules, event: Event, data: dict[str, Any] | None) -> Field:
    more = () if data is None else input_events.field_attributes(data)
    return field_of(rules, event.target_element, event.target_id, event.target_class, event.target_selector, more)


def _hide_value(event: Event, *, is_secret: bool = True) -> None:
    """Masks what an event holds of a typed value. The text of an element that is no field is one if it is secret."""
    data = _object(event.event_data)
    typed = {value for value in (event.input_value, *input_events.values(data or {})) if value and value != MASK}
    if event.input_value:
        event.input_value = MASK
    element = event.target_element
    if element is not None and (is_secret or has_value(element) or _is_in(element, typed)):
        event.target_element = without_value(element)
    if event.target_selector is not None:
        event.target_selector = without_typed(event.target_selector, typed)
    if data is None and bytes(event.event_data).startswith(b"{"):
        event.event_data = Raw(CLOSED)
    elif data is not None:
        is_changed = input_events.hide_in_selectors(data, typed)
        is_typing = event.event_type.lower() in input_events.TYPING or event.input_value is not None
        if input_events.hide_values(data, numbers=is_typing) or is_changed:
            event.event_data = Raw(encode(data))


def _is_in(element: str, typed: set[str]) -> bool:
    return len(typed) > MOST_TYPED or any(each in element for each in typed)


def _is_typing(kind: str, data: bytes) -> bool:
    if kind.lower() in input_events.TYPING:
        return True
    return b'Code"' in data and (b'eyCode"' in data or b'harCode"' in data)


def _json(rules: Rules, data: Raw, text: bytes, index: int) -> Raw:
    """An event's data without the secrets in it; `text` is the same as bytes."""
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
        return cast("dict[str, Any]", decode(data))
    except UNREADABLE:
        return None
