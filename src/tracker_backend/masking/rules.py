"""A project's rules of masking, compiled: they mask texts, names and the JSON of events."""

import re
from functools import lru_cache
from typing import Any, cast

from tracker_backend.accounts.project_settings import Masking
from tracker_backend.masking import patterns
from tracker_backend.masking.caching import CACHED
from tracker_backend.masking.html_fields import scrub_fields
from tracker_backend.masking.json_values import UNREADABLE, closed, decode, encode
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.prefilter import Prefilter

SECRET = ""
_LEAST_CARD = 10**14
_SMALL = 2048
"""It is faster to decode such a text than to search it first."""
_LABELS = ("name", "field", "key", "id", "label")


class Rules:
    """What `Masking` asks for. A project's own words are searched for as they are, in lower case."""

    def __init__(self, masking: Masking) -> None:
        self.all_inputs = masking.inputs == "all"
        self._words = tuple(word.lower() for word in masking.fields)
        self._parameters = frozenset(name.lower() for name in masking.parameters)
        self._allowed = frozenset(name.lower() for name in masking.allow)
        self.prefilter = Prefilter((*self._words, *self._parameters))
        self.short_text = lru_cache(maxsize=8192)(self._text)
        self._short_name = lru_cache(maxsize=8192)(self._member)
        self._cached_named = lru_cache(maxsize=8192)(self._named)

    def is_allowed(self, *names: object) -> bool:
        """One of these names is stored although it is typed or looks like a secret."""
        return bool(self._allowed) and any(isinstance(name, str) and name.lower() in self._allowed for name in names)

    def is_field(self, words: str, pattern: re.Pattern[str] = patterns.FIELD_PATTERN) -> bool:
        """Whether these words name a secret field."""
        return pattern.search(patterns.plain(words)) is not None or self._has_word(words)

    def is_member(self, name: str) -> bool:
        """Whether a JSON member of this name is a secret."""
        if not patterns.is_secret_member(name) and not self._has_word(name):
            return False
        return not self.is_allowed(name)

    def is_parameter(self, name: str) -> bool:
        """Whether a URL parameter of this name holds a secret."""
        is_own = bool(self._parameters) and name.lower() in self._parameters
        return (is_own or patterns.is_secret_parameter(name)) and not self.is_allowed(name)

    def text(self, text: str) -> str:
        """A text, or a URL, without the secrets in it."""
        return self.short_text(text) if len(text) <= CACHED else self._text(text)

    def name(self, text: str) -> str:
        """A selector, an id, a class, without the secrets in it; `.password:hover` holds none."""
        if "=" in text or "%" in text or "@" in text:
            text = patterns.scrub_parameters(text, self.is_parameter)
        return patterns.scrub_values(text)

    def json(self, text: bytes) -> bytes:
        """A JSON text without the secrets in it; mostly the same object. A text that may hold one and cannot be read is
        masked as a whole.
        """
        is_small = len(text) <= _SMALL
        if not is_small and not self.prefilter.matches(text):
            return text
        try:
            root = decode(text)
            value = root if root.__class__ in (dict, list) else [root]
            is_changed = self.mask_object(value, is_small=is_small)
            return encode(root if value is root else value[0]) if is_changed else text
        except UNREADABLE:
            return closed(text) if not is_small or self.prefilter.matches(text) else text

    def mask_object(self, root: Any, *, is_small: bool = False) -> bool:
        """Masks in place what a decoded object or array holds, at any depth; whether anything was changed. `is_small`
        where its names are worth being kept.

        Not by recursion: what browsers send may be nested more deeply than Python calls.
        """
        named_in = self._cached_named if is_small else self._named
        is_changed = False
        waiting: list[Any] = [root]
        while waiting:
            holder = waiting.pop()
            if type(holder) is dict:
                members = cast("dict[str, Any]", holder)
                named = named_in(tuple(members))
                if named or "value" in members:
                    is_changed |= self._mask_members(members, named)
                pairs: Any = members.items()
            else:
                pairs = enumerate(cast("list[Any]", holder))
            for place, value in pairs:  # only values are changed, which an iterator does not mind
                kind = value.__class__
                if kind is str:
                    masked = self.short_text(value) if len(value) <= CACHED else self._text(value)
                    if masked != value:
                        holder[place] = masked
                        is_changed = True
                elif kind is dict or kind is list:
                    waiting.append(value)
                elif kind is int and value >= _LEAST_CARD and patterns.is_issued_card(str(value)):
                    holder[place] = MASK
                    is_changed = True
        return is_changed

    def _text(self, text: str) -> str:
        if "<" in text and "alue" in text:
            text = scrub_fields(self, text)
        return patterns.scrub_labelled(self.name(text))

    def _named(self, names: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
        """Those of an object's names that do not stay as they are, with what becomes of them: see `_member`."""
        return tuple((name, change) for name in names if (change := self._name_change(name)) is not None)

    def _name_change(self, name: str) -> str | None:
        return self._short_name(name) if len(name) <= CACHED else self._member(name)

    def _member(self, name: str) -> str | None:
        """What becomes of a JSON member of this name: None, it stays; SECRET, its value; its other name."""
        if self.is_member(name):
            return SECRET
        masked = self.text(name)
        return None if masked == name else masked

    def _mask_members(self, members: dict[str, Any], named: tuple[tuple[str, str], ...]) -> bool:
        is_changed = False
        secret = [name for name, change in named if change == SECRET]
        for name, change in named:
            if change != SECRET:
                members[change] = members.pop(name)
                is_changed = True
        if "value" in members and any(
            isinstance(label := members.get(name), str) and self._name_change(label) == SECRET for name in _LABELS
        ):
            secret.append("value")
        for name in secret:
            value = members[name]
            # true, false and null hold no secret.
            if not isinstance(value, bool) and value not in (None, "", MASK, [], {}):
                members[name] = MASK
                is_changed = True
        return is_changed

    def _has_word(self, text: str) -> bool:
        small = text.lower() if self._words else ""
        return any(word in small for word in self._words)


@lru_cache(maxsize=256)
def rules_of(masking: Masking) -> Rules:
    """The compiled rules of these settings, made once."""
    return Rules(masking)
