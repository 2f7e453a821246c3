"""Form fields in a piece of HTML, which may be cut off: their attributes and their values."""

import re
from typing import Protocol

from tracker_backend.masking import patterns
from tracker_backend.masking.caching import cache_short_texts
from tracker_backend.masking.patterns import MASK, STYLE_PATTERN

FORM_TAG = re.compile(r"<(?:input|textarea|select|option)\b[^>]*>?", re.IGNORECASE)
TAG = re.compile(r"\s*<[a-zA-Z][^>]*>?")
VALUE = re.compile(r"(\bvalue\s*=\s*)(\"[^\"]*\"?|'[^']*'?|[^\s>\"']+)", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(\"[^\"]*\"?|'[^']*'?|[^\s>\"']+)")
_ANY_TAG = re.compile(r"<[a-zA-Z][^>]*>?")
_TEXTAREA = re.compile(r"(<textarea\b[^>]*>)[^<]+", re.IGNORECASE)
CHOSEN_TYPES = frozenset({"submit", "button", "reset", "image", "checkbox", "radio"})
"""Types of inputs whose value the page has chosen, not the visitor."""
_NAMING = ("name", "id", "placeholder", "aria-label", "label", "field")


class Words(Protocol):
    """What a project calls secret."""

    def is_field(self, words: str, pattern: re.Pattern[str] = ...) -> bool:
        """Whether these words name a secret field."""
        ...


def attributes(html: str) -> dict[str, str]:
    """The attributes of the first tag of a piece of HTML."""
    tag = TAG.match(html)
    return {name.lower(): value.strip("\"'") for name, value in _ATTRIBUTE.findall(tag[0])} if tag else {}


def is_secret_input(words: Words, named: dict[str, str]) -> bool:
    """Whether these attributes are those of a secret field."""
    if named.get("type", "").lower() in patterns.SECRET_TYPES or named.get("inputmode", "").lower() in ("tel", "email"):
        return True
    if patterns.SECRET_AUTOCOMPLETE.search(named.get("autocomplete", "")):
        return True
    return any(words.is_field(named[name]) for name in _NAMING if name in named) or (
        "class" in named and words.is_field(named["class"], STYLE_PATTERN)
    )


@cache_short_texts(4096)
def without_value(html: str) -> str:
    """An outer HTML without what was typed: neither its `value` nor the text between its tags."""
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
        for tag in _ANY_TAG.finditer(html):
            if is_editor(tag[0]):
                html = html[: tag.end()] + (MASK if html[tag.end() :].strip() else "")
                break
    if in_fields and "<textarea" in small:
        html = _TEXTAREA.sub(rf"\1{MASK}", html)
    if in_fields and "value" in small:
        html = FORM_TAG.sub(_without_typed_value, html)
    return html


def _without_typed_value(tag: re.Match[str]) -> str:
    is_chosen = attributes(tag[0]).get("type", "").lower() in CHOSEN_TYPES
    return tag[0] if is_chosen or tag[0][:7].lower() == "<option" else VALUE.sub(rf'\1"{MASK}"', tag[0])


def scrub_fields(words: Words, text: str) -> str:
    """A text without the values of secret fields in its HTML."""

    def mask(found: re.Match[str]) -> str:
        return VALUE.sub(rf'\1"{MASK}"', found[0]) if is_secret_input(words, attributes(found[0])) else found[0]

    return FORM_TAG.sub(mask, text)
