"""The prefilter of recordings: finds the JSON texts of events that may hold something to mask. Most are not decoded."""

import re
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw, Struct

from tracker_backend.masking.html_attributes import may_name_secret
from tracker_backend.masking.json_strings import secret_strings
from tracker_backend.masking.rules import Rules

FORM = frozenset({"input", "textarea", "select", "INPUT", "TEXTAREA", "SELECT"})
"""Tags of the elements that hold typed values."""
FIELD_ATTRIBUTES = frozenset({"value", "type", "autocomplete", "inputmode"})
"""Attributes of such an element that hold a typed value, or say that the field is a secret."""
LEFT_ALONE = frozenset({"_cssText", "rr_dataURL", "d", "points", "transform", "viewBox", "style", "tagName"})
"""Attributes that are drawing or style: long, and never typed."""

_ELEMENT = re.compile(rb'"tagName"\s*:\s*"(?:%b)"' % "|".join(sorted(FORM)).encode())
_BEFORE_DRAWING = re.compile(rb'"(?:%b)"\s*:\s*\Z' % "|".join(sorted(LEFT_ALONE)).encode())
_BEFORE_TEXT, _AFTER_STYLE = re.compile(rb'"textContent"\s*:\s*\Z'), re.compile(rb'\s*,\s*"isStyle"\s*:\s*true\b')
_NAME_LENGTH = 40
_INPUT = 5
_MOST_SECRETS = 10
_MOST_LOOKED_AT = 100


class _Change(Struct, gc=False):
    attributes: dict[str, Raw] = {}


class _Data(Struct, gc=False):
    source: Any = None
    attributes: list[_Change] = []


class _Event(Struct, gc=False):
    data: _Data


_event = msgspec.json.Decoder(_Event)


class RrwebPrefilter(Struct, frozen=True):
    """What to look for in the events of one batch."""

    secrets: list[bytes]
    """Strings that hold or may hold a secret, with their quotes; the empty string, which every text has, for many."""
    is_escaped: bool
    """Names may be written with escapes: only the decoded event shows them."""

    def has_secrets(self, text: bytes) -> bool:
        """Whether an event's text holds one of the secret strings."""
        return bool(self.secrets) and any(secret in text for secret in self.secrets)

    def may_hold_secret(self, text: bytes) -> bool:
        """Whether an event that shows or changes the page has to be decoded."""
        return (
            _ELEMENT.search(text) is not None
            or (self.is_escaped and b"\\u00" in text)
            or may_name_secret(text)
            or _has_value(text)
            or self.has_secrets(text)
        )


def prefilter_batch(rules: Rules, joined: bytes) -> RrwebPrefilter:
    """The prefilter for a batch of rrweb events, given as JSON texts joined by commas."""
    may_hold = list(islice(secret_strings(rules, joined), _MOST_LOOKED_AT))
    secrets = [string for string in may_hold if not _is_left_alone(joined, string)]
    if len(may_hold) == _MOST_LOOKED_AT or len(secrets) > _MOST_SECRETS:
        secrets = [b""]  # a search for each of them would take longer than decoding every event
    return RrwebPrefilter(secrets, b"\\u00" in joined)


def _has_value(text: bytes) -> bool:
    """Whether an event is typing or changes attributes of a field."""
    try:
        data = _event.decode(text).data
    except (msgspec.MsgspecError, RecursionError):
        return True  # not an event that rrweb makes
    if data.source == _INPUT:
        return True
    return any(name.lower() in FIELD_ATTRIBUTES for change in data.attributes for name in change.attributes)


def _is_left_alone(joined: bytes, string: bytes) -> bool:
    """Whether a string is a drawing or a style in all places: those are long, and often contain an `@`."""
    place = joined.find(string)
    while place >= 0:
        before, end = joined[max(0, place - _NAME_LENGTH) : place], place + len(string)
        is_style = _BEFORE_TEXT.search(before) and _AFTER_STYLE.match(joined, end)
        if not is_style and not _BEFORE_DRAWING.search(before):
            return False
        place = joined.find(string, end)
    return True
