"""A project's rules of masking, made ready: what they say of a text, a name, and the JSON of an event."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, cast

import msgspec

from tracker_backend.ingest import secrets
from tracker_backend.ingest.html import scrub_fields
from tracker_backend.ingest.policy import Masking
from tracker_backend.ingest.secrets import MASK

SECRET = ""
_CACHED = 1024
"""Longer texts are seldom the same twice."""
_LEAST_CARD = 10**14
_SMALL = 2048
"""It is faster to decode such a text than to look for hints in it."""
_LABELS = ("name", "field", "key", "id", "label")
_CARD = re.compile(r"[2-6]\d\d\d(?:(?:[ +-]|\xc2\xa0|\xe2\x80[\x89\xaf])?\d){9}")
_IN_TEXTS = (
    *("<input", "<texta", "<select", "<optio", "@", "%", "&#", "\\u00", ":\\/\\/", "\xef\xbc"),
    *("pass", "pwd", "secret", "token", "auth", "cvc", "cvv", "iban", "ssn", "eyj", "bearer", "card", "cc_", "api"),
)
_IN_NAMES = (
    *("kennwort", "jwt", "cookie", "key", "credential", '"cc', "csc", "social", "otp", "pin", "mail", "phone", "tel"),
    *("code", "sess", "sid", "sig", "nonce", "ticket", "login", "user", "mobile", "assertion", "saml"),
)
"""No text without one of these holds a secret, nor one without `_CARD`: small letters, UTF-8 read as Latin-1. The
second ones name members, and parameters, which have a `=`.
"""
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Rules:
    """What `Masking` asks for. The words of a project are looked for as they are, in small letters."""

    def __init__(self, masking: Masking) -> None:
        self.all_inputs = masking.inputs == "all"
        self._words = tuple(word.lower() for word in masking.fields)
        self._parameters = frozenset(name.lower() for name in masking.parameters)
        self._allowed = frozenset(name.lower() for name in masking.allow)
        own = (*self._words, *self._parameters)
        self._hints = (*_IN_TEXTS, *_IN_NAMES, *(word.encode().decode("latin-1") for word in own))
        self.short_text = lru_cache(maxsize=8192)(self._text)
        self.name = lru_cache(maxsize=8192)(self._name)
        """A selector, an id, a class, without the secrets in it; `.password:hover` holds none."""
        self.member = lru_cache(maxsize=8192)(self._member)
        """What becomes of a JSON member of this name: None, it stays; SECRET, its value; its other name."""

    def is_allowed(self, *names: str | None) -> bool:
        """One of these names is stored although it looks like a secret."""
        return bool(self._allowed) and any(name is not None and name.lower() in self._allowed for name in names)

    def is_field(self, words: str, pattern: re.Pattern[str] = secrets.FIELD_WORDS) -> bool:
        """Whether these words name a secret field."""
        return pattern.search(secrets.plain(words)) is not None or self._has_word(words)

    def is_member(self, name: str) -> bool:
        """Whether a JSON member of this name is a secret."""
        if not secrets.is_secret_member(name) and not self._has_word(name):
            return False
        return not self.is_allowed(name)

    def is_parameter(self, name: str) -> bool:
        """Whether a URL's parameter of this name is one."""
        is_own = bool(self._parameters) and name.lower() in self._parameters
        return (is_own or secrets.is_secret_parameter(name)) and not self.is_allowed(name)

    def text(self, text: str) -> str:
        """A text, or a URL, without the secrets in it."""
        return self.short_text(text) if len(text) <= _CACHED else self._text(text)

    def json(self, text: bytes) -> bytes:
        """A JSON text without the secrets in it; mostly the same object."""
        if len(text) > _SMALL and not self.may_hold(text, self.hints_in(text)):
            return text
        try:
            value = [_decode(text)]
            return _encode(value[0]) if self.walk(value) else text
        except (msgspec.MsgspecError, RecursionError, OverflowError):
            return secrets.scrub_values(text.decode(errors="replace")).encode()

    def hints_in(self, text: bytes) -> tuple[str, ...]:
        """Which of the words that secrets come with a text holds: those to look for in its parts."""
        small = text.decode("latin-1").lower()
        return tuple(hint for hint in self._hints if hint in small)

    def text_hints_in(self, text: bytes) -> tuple[str, ...]:
        """The same for texts in a page, where members are not named by whoever sent them: only with a `=`, which
        parameters of addresses have, the words of names count.
        """
        small = text.decode("latin-1").lower()
        hints = self._hints if "=" in small else _IN_TEXTS
        return tuple(hint for hint in hints if hint in small)

    def may_hold(self, text: bytes, hints: tuple[str, ...], *, is_named: bool = True) -> bool:
        """A cheap look at a JSON text: False where there is no secret. Not `is_named`: its members are not named by
        whoever sent it.
        """
        small = text.decode("latin-1")
        if _CARD.search(small) is not None:
            return True
        small = small.lower()
        if not is_named and "=" not in small:
            hints = tuple(hint for hint in hints if hint not in _IN_NAMES)
        return any(hint in small for hint in hints)

    def walk(self, root: Any) -> bool:
        """Masks in place what a decoded object or array holds, at any depth; whether anything was changed."""
        return walk(root, self.text, self.member)

    def _name(self, text: str) -> str:
        if "=" in text or "%" in text or "@" in text:
            text = secrets.scrub_parameters(text, self.is_parameter)
        return secrets.scrub_values(text)

    def _text(self, text: str) -> str:
        if "<" in text and "alue" in text:
            text = scrub_fields(self, text)
        return secrets.scrub_labelled(self._name(text))

    def _member(self, name: str) -> str | None:
        if self.is_member(name):
            return SECRET
        told = self.text(name)
        return None if told == name else told

    def _has_word(self, text: str) -> bool:
        small = text.lower() if self._words else ""
        return any(word in small for word in self._words)


@lru_cache(maxsize=256)
def rules_of(masking: Masking) -> Rules:
    """The rules, made once."""
    return Rules(masking)


def walk(root: Any, text: Callable[[str], str], member: Callable[[str], str | None]) -> bool:
    """Calls `text` for every string of a decoded object or array, and `member` for every name.

    Not by recursion: what browsers send may be nested more deeply than Python calls.
    """
    is_changed = False
    waiting: list[Any] = [root]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, dict):
            members = cast("dict[str, Any]", holder)
            named = [(name, told) for name in members if (told := member(name)) is not None]
            if named or "value" in members:
                is_changed |= _mask_members(members, named, member)
            pairs: Any = members.items()
        else:
            pairs = enumerate(cast("list[Any]", holder))
        for place, value in pairs:  # only values are changed, which an iterator does not mind
            if isinstance(value, str):
                told = text(value)
                if told != value:
                    holder[place] = told
                    is_changed = True
            elif isinstance(value, dict | list):
                waiting.append(value)
            elif type(value) is int and value >= _LEAST_CARD and secrets.is_issued_card(str(value)):
                holder[place] = MASK
                is_changed = True
    return is_changed


def _mask_members(members: dict[str, Any], named: list[tuple[str, str]], member: Callable[[str], str | None]) -> bool:
    is_changed = False
    secret = [name for name, told in named if told == SECRET]
    for name, told in named:
        if told != SECRET:
            members[told] = members.pop(name)
            is_changed = True
    if "value" in members and any(
        isinstance(label := members.get(name), str) and member(label) == SECRET for name in _LABELS
    ):
        secret.append("value")
    for name in secret:
        value = members[name]
        # Neither yes nor no nor nothing tells a secret, but that a field is there.
        if not isinstance(value, bool) and value not in (None, "", MASK, [], {}):
            members[name] = MASK
            is_changed = True
    return is_changed
