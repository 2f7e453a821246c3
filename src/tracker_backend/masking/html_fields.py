"""Form fields in a piece of HTML, which may be cut off: their attributes and their values."""

from functools import lru_cache
from typing import Protocol

import re2

from tracker_backend.masking import patterns
from tracker_backend.masking.budget import spend
from tracker_backend.masking.caching import CACHED, ENTRIES
from tracker_backend.masking.names import FIELD_PATTERN, STYLE_PATTERN
from tracker_backend.masking.patterns import MASK

TAG = re2.compile(r"\s*<[a-zA-Z][^>]*>?")
VALUE = re2.compile(r"(?i)(\bvalue\s*=\s*)(\"[^\"]*\"?|'[^']*'?|[^\s>\"']+)")
_FORM_TAG = re2.compile(r"(?i)<(?:input|textarea|select|option)\b[^>]*>?")
_ATTRIBUTE = re2.compile(r"([\w:-]+)\s*=\s*(\"[^\"]*\"?|'[^']*'?|[^\s>\"']+)")
_EDITOR = re2.compile(r"(?i)<[a-z][^>]*\bcontenteditable\b[^>]*>?")
_TEXTAREA = re2.compile(r"(?i)(<textarea\b[^>]*>)[^<]+")
CHOSEN_TYPES = frozenset({"submit", "button", "reset", "image", "checkbox", "radio"})
"""Types of inputs whose value the page has chosen, not the visitor."""
_NAMING = ("name", "id", "placeholder", "aria-label", "label", "field")
_AUTOCOMPLETE = frozenset({"one-time-code", "current-password", "new-password", "email", "tel"})
_TAG_STEPS = 20
_LONGEST = 1000  # an attribute that says what a field is


class Words(Protocol):
    """What a project calls secret."""

    def is_field(self, words: str, pattern: "re2.Regexp[str]" = ...) -> bool:
        """Whether these words name a secret field."""
        ...


def attributes(html: str) -> dict[str, str]:
    """The attributes of the first tag of a piece of HTML."""
    tag = TAG.match(html)
    return (
        {
            name.lower(): value.strip("\"'")
            for name, value in ((found[1], found[2]) for found in _ATTRIBUTE.finditer(tag[0]))
        }
        if tag
        else {}
    )


def is_secret_input(words: Words, named: dict[str, str]) -> bool:
    """Whether these attributes are those of a secret field."""
    if named.get("type", "").lower() in patterns.SECRET_TYPES or named.get("inputmode", "").lower() in ("tel", "email"):
        return True
    hints = named.get("autocomplete", "")[:_LONGEST].lower().split()
    if any(hint in _AUTOCOMPLETE or hint.startswith(("cc-", "tel-")) for hint in hints):
        return True
    return any(words.is_field(named[name], FIELD_PATTERN) for name in _NAMING if name in named) or (
        "class" in named and words.is_field(named["class"], STYLE_PATTERN)
    )


def without_value(html: str) -> str:
    """An outer HTML without what was typed: neither its `value` nor the text between its tags."""
    return _short_without_value(html) if len(html) <= CACHED else _without_value(html)


def _without_value(html: str) -> str:
    tag = TAG.match(html)
    if tag is None:
        return MASK
    opening = VALUE.sub(rf'\1"{MASK}"', tag[0])
    return opening + MASK if html[tag.end() :].strip() else opening


def is_editor(tag: str) -> bool:
    """Whether a tag begins an editor, in which the visitor types."""
    return "contenteditable" in tag.lower() and attributes(tag).get("contenteditable", "").lower() != "false"


def without_typed_values(html: str, *, in_fields: bool) -> str:
    """An outer HTML without what was typed into editors in it and, with `in_fields`, into fields.

    After the first tag of an editor all is masked: where it ends is not known of a piece of HTML.
    """
    small = html.lower()
    if "contenteditable" in small:
        for tag in _EDITOR.finditer(html):
            if is_editor(tag[0]):
                html = html[: tag.end()] + (MASK if html[tag.end() :].strip() else "")
                break
    if in_fields and "<textarea" in small:
        html = _TEXTAREA.sub(rf"\1{MASK}", html)
    if in_fields and "value" in small:
        html = _FORM_TAG.sub(_without_typed_value, html)
    return html


def _without_typed_value(tag: "re2.Match[str]") -> str:
    spend(_TAG_STEPS)
    is_chosen = attributes(tag[0]).get("type", "").lower() in CHOSEN_TYPES
    return tag[0] if is_chosen or tag[0][:7].lower() == "<option" else VALUE.sub(rf'\1"{MASK}"', tag[0])


def scrub_fields(words: Words, text: str) -> str:
    """A text without the values of secret fields in its HTML."""

    def mask(found: "re2.Match[str]") -> str:
        spend(_TAG_STEPS)
        return VALUE.sub(rf'\1"{MASK}"', found[0]) if is_secret_input(words, attributes(found[0])) else found[0]

    return _FORM_TAG.sub(mask, text)


_short_without_value = lru_cache(maxsize=ENTRIES)(_without_value)
