"""The form field of an event: the names by which it is known, and whether it looks secret."""

from functools import lru_cache
from itertools import chain

import re2
from msgspec import Struct

from tracker_backend.masking.caching import CACHED, ENTRIES
from tracker_backend.masking.html_fields import TAG, VALUE, attributes, is_secret_input
from tracker_backend.masking.names import FIELD_PATTERN, STYLE_PATTERN
from tracker_backend.masking.rules import Rules

UNNAMED = frozenset({"element"})
"""The name of a field of which an event says nothing."""
_KEY_LENGTH = 200
_LAST_ELEMENT = re2.compile(r"(?:\[[^\]]*\]|\([^)]*\)|[^\s>+~])*$")
"""Of a selector: what follows the last combinator that is in no brackets."""

More = tuple[tuple[str, str], ...]


class Field(Struct, frozen=True):
    """A field, as far as an event describes it."""

    names: frozenset[str]
    """How it is recognized in this and in later batches of the session: `id card`, `name cc`, `selector #card`."""
    looks_secret: bool
    is_allowed: bool
    """The project lets it be stored. A password never is."""


def field_of(
    rules: Rules, element: str | None, id_: str | None, class_: str | None, selector: str | None, more: More = ()
) -> Field:
    """The field of an event's `target_…`; `more` are attributes that its data names. Fields are cached, unless long."""
    texts = (element, id_, class_, selector, *chain.from_iterable(more))
    is_long = sum(len(text) for text in texts if text) > CACHED
    return (_field if is_long else _short_field)(rules, element, id_, class_, selector, more)


def _field(
    rules: Rules, element: str | None, id_: str | None, class_: str | None, selector: str | None, more: More
) -> Field:
    found = attributes(element or "") | dict(more)
    selector = selector or found.get("selector")
    name, id_ = found.get("name"), id_ or found.get("id")
    names = {f"{kind} {value}" for kind, value in (("id", id_), ("name", name), ("selector", selector)) if value}
    if not names:
        # Nothing but what it looks like: all such fields of a session are one.
        tag = TAG.match(element or "")
        names = {f"element {VALUE.sub('', tag[0])}" if tag else "element"}
    found_last = _LAST_ELEMENT.search(selector.strip()) if selector else None
    last = "" if found_last is None else found_last[0]
    looks = is_secret_input(rules, found) or any(
        text and rules.is_field(text, pattern)
        for text, pattern in ((id_, FIELD_PATTERN), (class_, STYLE_PATTERN), (last, STYLE_PATTERN))
    )
    kept = frozenset(rules.text(name)[:_KEY_LENGTH].replace("\n", " ") for name in names)
    is_allowed = rules.is_allowed(name, id_) and found.get("type", "").lower() != "password"
    return Field(kept, looks, is_allowed)


_short_field = lru_cache(maxsize=ENTRIES)(_field)
