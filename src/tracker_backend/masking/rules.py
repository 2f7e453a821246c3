"""A project's rules of masking, compiled: they mask texts, names and the JSON of events."""

from functools import lru_cache
from typing import Any, cast

import re2

from tracker_backend.accounts.project_settings import Masking
from tracker_backend.masking import names, patterns
from tracker_backend.masking.budget import BudgetSpentError, spend
from tracker_backend.masking.caching import CACHED, ENTRIES
from tracker_backend.masking.html_fields import scrub_fields
from tracker_backend.masking.json_values import UNREADABLE, closed, decode, encode
from tracker_backend.masking.names import FIELD_PATTERN, LONGEST_NAME
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.prefilter import Prefilter
from tracker_backend.masking.values import is_issued_card

SECRET = ""
_LEAST_CARD = 10**14
_SMALL = 2048
"""It is faster to decode such a text than to search it first."""
_LABELS = ("name", "field", "key", "id", "label")
_NAME_STEPS, _VALUES_A_STEP = 2, 4
_MANY = 64
_CHARACTERS_A_STEP = 1000
_PAIR = 2
_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-auth-token"})
"""In a flat list of headers, what follows one of these is its value."""
_Changes = tuple[tuple[str, str], ...]


class Rules:
    """What `Masking` asks for. A project's own words are searched for as they are, in lower case."""

    def __init__(self, masking: Masking) -> None:
        self.all_inputs = masking.inputs == "all"
        self._words = tuple(word.lower() for word in masking.fields)
        self._parameters = frozenset(name.lower() for name in masking.parameters)
        self._allowed = frozenset(name.lower() for name in masking.allow)
        self.prefilter = Prefilter((*self._words, *self._parameters))

    def is_allowed(self, *names: object) -> bool:
        """One of these names is stored although it is typed or looks like a secret."""
        return bool(self._allowed) and any(isinstance(name, str) and name.lower() in self._allowed for name in names)

    def is_field(self, words: str, pattern: "re2.Regexp[str]" = FIELD_PATTERN) -> bool:
        """Whether these words name a secret field."""
        return names.is_field(words, pattern) or self._has_word(words)

    def is_member(self, name: str) -> bool:
        """Whether a JSON member of this name is a secret."""
        if not names.is_secret_member(name) and not self._has_word(name[-LONGEST_NAME:]):
            return False
        return not self.is_allowed(name)

    def is_parameter(self, name: str) -> bool:
        """Whether a URL parameter of this name holds a secret."""
        return _parameter(self, name[-LONGEST_NAME:])

    def text(self, text: str) -> str:
        """A text, or a URL, without the secrets in it."""
        try:
            return _short_text(self, text) if len(text) <= CACHED else self.scrub(text)
        except BudgetSpentError:
            return MASK

    def name(self, text: str) -> str:
        """A selector, an id, a class, without the secrets in it; `.password:hover` holds none."""
        try:
            if not self.prefilter.may_hold_secret(text):
                return text
            return patterns.scrub_name(text, self.is_parameter).decode(errors="surrogatepass")
        except BudgetSpentError:
            return MASK

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
            is_changed = self.mask_object(value, is_short=len(text) <= CACHED)
            return encode(root if value is root else value[0]) if is_changed else text
        except UNREADABLE:
            return closed(text) if not is_small or self.prefilter.matches(text) else text

    def mask_object(self, root: Any, *, is_short: bool = False) -> bool:
        """Masks in place what a decoded object or array holds, at any depth; whether anything was changed. `is_short`
        where its text has at most `CACHED` characters, so that its names may be cached.

        Not by recursion: what browsers send may be nested more deeply than Python calls. Raises `BudgetSpentError`.
        """
        named_in = _short_names if is_short else _changes
        is_changed = False
        waiting: list[Any] = [root]
        while waiting:
            holder = waiting.pop()
            if not is_short:
                spend(1 + len(holder) // _VALUES_A_STEP)
            if type(holder) is dict:
                members = cast("dict[str, Any]", holder)
                changes = named_in(self, tuple(members))
                if changes or "value" in members:
                    is_changed |= self._mask_members(members, changes)
                pairs: Any = members.items()
            else:
                is_changed |= self._mask_list(cast("list[Any]", holder))
                pairs = enumerate(cast("list[Any]", holder))
            for place, value in pairs:  # only values are changed, which an iterator does not mind
                kind = value.__class__
                if kind is dict or kind is list:
                    if value:
                        waiting.append(value)
                    continue
                masked = self._masked_value(value)
                if masked is not value:
                    holder[place] = masked
                    is_changed = True
        return is_changed

    def _masked_value(self, value: Any) -> Any:
        """A text or a number without the secrets in it; the same object if there are none."""
        kind = value.__class__
        if kind is str:
            masked = _short_text(self, value) if len(value) <= CACHED else self.scrub(value)
            return value if masked == value else masked
        return MASK if kind is int and value >= _LEAST_CARD and is_issued_card(str(value)) else value

    def change(self, name: str) -> str | None:
        """What becomes of a JSON member of this name: None, it stays; SECRET, its value; its other name."""
        if self.is_member(name):
            return SECRET
        masked = _short_text(self, name) if len(name) <= CACHED else self.scrub(name)
        return None if masked == name else masked

    def scrub(self, text: str) -> str:
        """A text without the secrets in it. Raises `BudgetSpentError`."""
        spend(1 + len(text) // _CHARACTERS_A_STEP)
        if not self.prefilter.may_hold_secret(text):
            return text
        if "<" in text and "alue" in text:
            text = scrub_fields(self, text)
        return patterns.scrub(text, self.is_parameter)

    def has_parameter(self, name: str) -> bool:
        """The same as `is_parameter`, not cached."""
        is_own = bool(self._parameters) and name.lower() in self._parameters
        return (is_own or names.is_secret_parameter(name)) and not self.is_allowed(name)

    def _mask_members(self, members: dict[str, Any], changes: _Changes) -> bool:
        is_changed = False
        secret = [name for name, change in changes if change == SECRET]
        for name, change in changes:
            if change != SECRET:
                members[change] = members.pop(name)
                is_changed = True
        if "value" in members and any(
            isinstance(label := members.get(name), str) and _member(self, label) == SECRET for name in _LABELS
        ):
            secret.append("value")
        for name in secret:
            is_changed |= _mask_value(members, name)
        return is_changed

    def _mask_list(self, values: list[Any]) -> bool:
        """Masks the values of pairs such as `[["password", "…"]]`, and what follows a header's name in a list."""
        is_changed = False
        before: Any = None
        for place, value in enumerate(values):
            if value.__class__ is list:
                pair = cast("list[Any]", value)
                if len(pair) == _PAIR and pair[0].__class__ is str and _member(self, pair[0]) == SECRET:
                    is_changed |= _mask_value(pair, 1)
            elif value.__class__ is str and before.__class__ is str and before.lower() in _HEADERS:
                is_changed |= _mask_value(values, place)
            before = value
        return is_changed

    def _has_word(self, text: str) -> bool:
        small = text.lower() if self._words else ""
        return any(word in small for word in self._words)


def _mask_value(holder: Any, place: Any) -> bool:
    value = holder[place]
    # true, false and null hold no secret.
    if isinstance(value, bool) or value in (None, "", MASK, [], {}):
        return False
    holder[place] = MASK
    return True


@lru_cache(maxsize=ENTRIES)
def _short_text(rules: Rules, text: str) -> str:
    return rules.scrub(text)


@lru_cache(maxsize=ENTRIES)
def _short_member(rules: Rules, name: str) -> str | None:
    spend(_NAME_STEPS)
    return rules.change(name)


def _member(rules: Rules, name: str) -> str | None:
    if len(name) <= CACHED:
        return _short_member(rules, name)
    spend(_NAME_STEPS)
    return rules.change(name)


@lru_cache(maxsize=ENTRIES)
def _parameter(rules: Rules, name: str) -> bool:
    return rules.has_parameter(name)


def _changes(rules: Rules, names_: tuple[str, ...]) -> _Changes:
    """Those of an object's names that do not stay as they are, with what becomes of them: see `Rules.change`."""
    if len(names_) > _MANY:
        if not rules.prefilter.matches("\n".join(names_).encode(errors="surrogatepass")):
            return ()
        spend(_NAME_STEPS * len(names_))
    return tuple((name, change) for name in names_ if (change := _member(rules, name)) is not None)


_short_names = lru_cache(maxsize=ENTRIES)(_changes)


@lru_cache(maxsize=64)
def rules_of(masking: Masking) -> Rules:
    """The compiled rules of these settings, made once."""
    return Rules(masking)
