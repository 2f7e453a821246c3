"""Scans JSON values in a stream of bytes, and keeps one element in memory, whatever the size of the file.

It only finds where values begin and end. Errors inside an element are found when the element is decoded.
"""

import re
from collections.abc import Callable, Iterator

_READ_BYTES = 256 * 1024
_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_SCALAR = re.compile(rb"[^\s,:\[\]{}\"]++")
_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"(?:[^"\\]++|\\.)*+")*+[\[\]{}]', re.DOTALL)
"""Everything up to the next bracket outside strings."""
_OPENING = b"[{"


class UnreadableError(Exception):
    """A file cannot be read: `at` is the byte, `what` the problem."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at = at
        self.what = what


class Scanner:
    """Reads with `read`, which returns b"" at the end. Elements larger than `limit` bytes raise UnreadableError."""

    def __init__(self, read: Callable[[int], bytes], limit: int) -> None:
        self._read = read
        self._limit = limit
        self._text = b""
        self._at: int = 0
        self._kept: int | None = None
        self._offset: int = 0  # position of the first byte of `_text` in the file
        self._ended = False
        while len(self._text) < len(_BOM) and self._fill():
            pass
        if self._text.startswith(_BOM):
            self._at = len(_BOM)

    @property
    def at(self) -> int:
        """The position in the file, in bytes."""
        return self._offset + self._at

    def peek(self) -> bytes:
        """Skip spaces and return the next byte without reading it; b"" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None  # noqa: S101 — it matches nothing too
            self._at = match.end()
            if self._at < len(self._text) or not self._fill():
                return self._text[self._at : self._at + 1]

    def values(self) -> Iterator[bytes]:
        """Yield the first byte of each value of the file. The caller must read the value before the next step."""
        while first := self.peek():
            yield first
            if self.peek() == b",":
                raise self.error("a comma between two values: write one value per line, or all in one array")

    def elements(self) -> Iterator[bytes]:
        """Yield the first byte of each element of the array that begins here. The caller must read the element."""
        self._take(b"[")
        if self.peek() == b"]":
            self._at += 1
            return
        while True:
            yield self.peek()
            if self._take(b",]") == b"]":
                return

    def members(self) -> Iterator[str]:
        """Yield the name of each member of the object that begins here. The caller must read the value."""
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
        """Read the value that begins here and return its text."""
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
        """Read the object or array that begins here if all of it is in memory: three times as fast as `value`.

        Otherwise returns None and reads nothing.
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
        """Go back to the position of the last `whole`."""
        self._at = at - self._offset

    def keep(self) -> int:
        """Keep what is read from here on, for `kept`. Returns the position."""
        self.peek()
        self._kept = self._at
        return self.at

    def kept(self, start: int) -> bytes:
        """Return what was read since the position `start` of `keep`, and keep it no longer."""
        self._kept = None
        return self._text[start - self._offset : self._at]

    def release(self) -> None:
        """Keep nothing any longer."""
        self._kept = None

    def error(self, what: str) -> UnreadableError:
        """Return an error at this position."""
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
            # A number at the end of the buffer may have more digits.
            if match is not None and not (may_go_on and match.end() == len(self._text) and self._fill()):
                self._at = match.end()
                return match.group()
            if match is None and not self._fill():
                raise self.error("the file ends inside this value" if self._ended else "this is not JSON")

    def _fill(self) -> bool:
        """Read more. Returns False at the end."""
        if self._ended:
            return False
        begin = self._at if self._kept is None else min(self._kept, self._at)
        if len(self._text) - begin > self._limit:
            raise UnreadableError(self._offset + begin, f"this value has more than {self._limit} bytes")
        more = self._read(max(_READ_BYTES, len(self._text) - begin))
        self._ended = not more
        self._text = self._text[begin:] + more
        self._offset += begin
        self._at -= begin
        if self._kept is not None:
            self._kept -= begin
        return bool(more)
