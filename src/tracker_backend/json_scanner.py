"""Walks JSON values in a stream of bytes and holds one element at a time, however large the file is.

It finds where values begin and end, and no more: whoever decodes an element finds out what is wrong inside it.
"""

import re
from collections.abc import Callable, Iterator

_READ = 256 * 1024
_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,:\[\]{}\"]++")
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+[\[\]{}]', re.DOTALL)
"""Everything up to the next bracket that is in no string."""
_OPENING = b"[{"


class UnreadableError(Exception):
    """Something in a file cannot be stored: at which byte, and what."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at = at
        self.what = what


class Scanner:
    """Reads with `read`, which gives b"" at the end; no element may be larger than `limit` bytes."""

    def __init__(self, read: Callable[[int], bytes], limit: int) -> None:
        self._read = read
        self._limit = limit
        self._text = b""
        self._at: int = 0
        self._kept: int | None = None
        self._offset: int = 0  # of the text's first byte
        self._ended = False
        while len(self._text) < len(_BOM) and self._fill():
            pass
        if self._text.startswith(_BOM):
            self._at = len(_BOM)

    @property
    def at(self) -> int:
        """The byte of the file at which it stands."""
        return self._offset + self._at

    def peek(self) -> bytes:
        """The next byte that is no space; b"" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None  # noqa: S101 — it matches nothing too
            self._at = match.end()
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def values(self) -> Iterator[bytes]:
        """At each value of the file, its first byte. The caller reads the value before it goes on."""
        while first := self.peek():
            yield first
            if self.peek() == b",":
                raise self.error("a comma between two values: one stands on each line, or all in one array")

    def elements(self) -> Iterator[bytes]:
        """At each element of the array that begins here, its first byte. The caller reads the element."""
        self._take(b"[")
        if self.peek() == b"]":
            self._at += 1
            return
        while True:
            yield self.peek()
            if self._take(b",]") == b"]":
                return

    def members(self) -> Iterator[str]:
        """At each member of the object that begins here, its name. The caller reads the value."""
        self._take(b"{")
        if self.peek() == b"}":
            self._at += 1
            return
        while True:
            if self.peek() != b'"':
                raise self.error("a name in quotes is missing")
            name = self.value()[1:-1].decode(errors="replace")
            self._take(b":")
            yield name
            if self._take(b",}") == b"}":
                return

    def value(self) -> bytes:
        """The text of the value that begins here."""
        first = self.peek()
        start = self.at
        is_inside = self._kept is not None
        if not is_inside:
            self._kept = self._at
        if not first or first in b",:]}":
            raise self.error("a value is missing")
        if first in _OPENING:
            if self.whole() is None:
                self._pass_nested()
        elif first == b'"':
            self._match(_STRING)
        else:
            self._match(_SCALAR, may_go_on=True)
        if not is_inside:
            self._kept = None
        return self._text[start - self._offset : self._at]

    def whole(self) -> bytes | None:
        """The text of the object or array that begins here, if all of it is in memory: three times as fast as `value`.
        Else None, and it is still to be read.
        """
        self.peek()
        position, depth, match_bracket = self._at, 0, _BRACKET.match
        while match := match_bracket(self._text, position):
            position = match.end()
            depth += 1 if self._text[position - 1] in _OPENING else -1
            if depth == 0:
                text = self._text[self._at : position]
                self._at = position
                return text
        return None

    def back_to(self, at: int) -> None:
        """Back to a byte from where nothing else was read since."""
        self._at = at - self._offset

    def keep(self) -> int:
        """Holds what is read from here on, for `kept`; returns a mark."""
        self.peek()
        self._kept = self._at
        return self.at

    def kept(self, mark: int) -> bytes:
        """What was read since the mark; it is held no longer."""
        self._kept = None
        return self._text[mark - self._offset : self._at]

    def release(self) -> None:
        """Holds nothing any longer."""
        self._kept = None

    def error(self, what: str) -> UnreadableError:
        """The error for what stands here."""
        return UnreadableError(self.at, what if self.peek() else f"the file ends here, and {what}")

    def _pass_nested(self) -> None:
        depth = 0
        while True:
            depth += 1 if self._match(_BRACKET)[-1:] in _OPENING else -1
            if depth == 0:
                return

    def _take(self, wanted: bytes) -> bytes:
        found = self.peek()
        if not found or found not in wanted:
            shown = " or ".join(f"`{chr(byte)}`" for byte in wanted)
            raise self.error(f"{shown} is missing")
        self._at += 1
        return found

    def _match(self, pattern: re.Pattern[bytes], *, may_go_on: bool = False) -> bytes:
        while True:
            match = pattern.match(self._text, self._at)
            # A number at the end of what was read may have more digits behind it.
            if match is not None and not (may_go_on and match.end() == len(self._text) and self._fill()):
                self._at = match.end()
                return match.group()
            if match is None and not self._fill():
                raise self.error("the file ends inside this value" if self._ended else "this is no JSON")

    def _fill(self) -> bool:
        """Reads more; False at the end."""
        if self._ended:
            return False
        begin = self._at if self._kept is None else min(self._kept, self._at)
        if len(self._text) - begin > self._limit:
            raise UnreadableError(self._offset + begin, f"this has more than {self._limit} bytes")
        more = self._read(max(_READ, len(self._text) - begin))
        self._ended = not more
        self._text = self._text[begin:] + more
        self._offset += begin
        self._at -= begin
        if self._kept is not None:
            self._kept -= begin
        return bool(more)
