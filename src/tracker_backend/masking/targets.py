"""The element of an event's `target_…` fields, without secrets."""

from functools import lru_cache

from msgspec import Struct

from tracker_backend.event import Event
from tracker_backend.masking.caching import CACHED, ENTRIES
from tracker_backend.masking.html_fields import CHOSEN_TYPES, attributes, is_editor, without_typed_values
from tracker_backend.masking.rules import Rules
from tracker_backend.masking.selectors import without_values

_FORM = ("<input", "<textarea", "<select")


class Target(Struct, frozen=True):
    """An element as it may be stored, except for its typed value."""

    element: str | None
    selector: str | None
    tag: str | None
    id: str | None
    class_: str | None
    has_value: bool
    """`element` is a form's field with a value in it, or an editor."""
    is_clean: bool
    """It has no value, and is as the event has it."""


def target_of(rules: Rules, event: Event) -> Target:
    """The target of an event. Few elements get most clicks, so targets are cached."""
    names = (event.target_element, event.target_selector, event.target_tag, event.target_id, event.target_class)
    is_long = sum(len(name) for name in names if name) > CACHED
    return _target(rules, *names) if is_long else _short_target(rules, *names)


def has_value(element: str) -> bool:
    """Whether this HTML is a form's field with a value in it, or an editor."""
    start = element.lstrip()[:9].lower()
    if not start.startswith(_FORM):
        return is_editor(element.partition(">")[0])
    if start.startswith("<input"):
        return "value" in element.lower() and attributes(element).get("type", "").lower() not in CHOSEN_TYPES
    return True


def _target(
    rules: Rules, element: str | None, selector: str | None, tag: str | None, id_: str | None, class_: str | None
) -> Target:
    masked = None if element is None else rules.text(without_typed_values(element, in_fields=rules.all_inputs))
    names = (selector, tag, id_, class_)
    found = (None if selector is None else without_values(selector), tag, id_, class_)
    masked_names = tuple(None if name is None else rules.name(name) for name in found)
    is_field = element is not None and has_value(element)
    is_clean = not is_field and masked == element and masked_names == names
    one, two, three, four = masked_names
    return Target(masked, one, two, three, four, is_field, is_clean)


_short_target = lru_cache(maxsize=ENTRIES)(_target)
