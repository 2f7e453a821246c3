"""The form field that an event is about: by which names it is known, and whether they tell that it is a secret one."""

import re
from functools import lru_cache

from msgspec import Struct

from tracker_backend.masking import patterns
from tracker_backend.masking.html_fields import TAG, VALUE, attributes, is_secret_input
from tracker_backend.masking.patterns import STYLE_WORDS
from tracker_backend.masking.rules import Rules

UNNAMED = frozenset({"element"})
"""What a field is known by of which an event tells nothing."""
_KEY_LENGTH = 200
_COMBINATOR = re.compile(r"[\s>+~](?![^\[(]*[\])])")

More = tuple[tuple[str, str], ...]


class Field(Struct, frozen=True):
    """A field, as far as an event tells."""

    keys: frozenset[str]
    """What it is known by, now and in later batches of the session."""
    looks_secret: bool
    is_allowed: bool
    """The project lets it be stored."""


def field_of(
    rules: Rules, element: str | None, id_: str | None, class_: str | None, selector: str | None, more: More = ()
) -> Field:
    """The field of an event's `target_…`; `more` are attributes that it tells elsewhere."""
    return _field(rules, element, id_, class_, selector, more)


@lru_cache(maxsize=8192)
def _field(
    rules: Rules, element: str | None, id_: str | None, class_: str | None, selector: str | None, more: More
) -> Field:
    told = attributes(element or "") | dict(more)
    selector = selector or told.get("selector")
    name, id_ = told.get("name"), id_ or told.get("id")
    keys = {f"{kind} {value}" for kind, value in (("id", id_), ("name", name), ("selector", selector)) if value}
    if not keys:
        # Nothing but what it looks like: all such fields of a session are one.
        tag = TAG.match(element or "")
        keys = {f"element {VALUE.sub('', tag[0])}" if tag else "element"}
    last = _COMBINATOR.split(selector.strip())[-1] if selector else ""
    looks = is_secret_input(rules, told) or any(
        text and rules.is_field(text, pattern)
        for text, pattern in ((id_, patterns.FIELD_WORDS), (class_, STYLE_WORDS), (last, STYLE_WORDS))
    )
    kept = frozenset(rules.text(key)[:_KEY_LENGTH].replace("\n", " ") for key in keys)
    return Field(kept, looks, rules.is_allowed(name, id_))
