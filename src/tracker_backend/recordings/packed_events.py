"""Unpacks rrweb events that a browser compressed one by one, so that they are masked, searched and played as others.

In both forms a text has a character for each compressed byte:

- `@rrweb/packer` (`packages/packer/src/pack.ts`) sends a text in place of an event: zlib of its JSON, whose member `v`
  is `v1`.
- posthog-js (`extensions/replay`) sends a text in place of `data`, or of members of it: gzip of its JSON. The event's
  member `cv` is the version of that.
"""

import zlib

import msgspec
from msgspec import Raw

from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.text_cleaning import clean_json

_MARK, _VERSION = "v", "cv"
_GZIP = "\x1f\x8b"
_ANY_FORMAT = 32 + zlib.MAX_WBITS  # zlib or gzip, by the first bytes
_text = msgspec.json.Decoder(str).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_whole = msgspec.json.Decoder(Raw).decode
_encode = msgspec.json.Encoder().encode


class Unpacker:
    """Unpacks events until they have `limit` bytes together."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def unpack(self, event: bytes, place: str) -> bytes:
        """The event's JSON; mostly the same object. Invalid with its `place` in the request, TooLarge."""
        if event.startswith(b'"'):
            return self._unpack_event(event, place)
        if b'"cv"' not in event or b'"\\u001f' not in event.lower():
            return event
        try:
            members = _members(event)
            if _VERSION not in members or "data" not in members:
                return event
            data = self._unpack_value(members["data"], place)
            if bytes(data).startswith(b"{"):
                data = Raw(_encode({name: self._unpack_value(value, place) for name, value in _members(data).items()}))
        except msgspec.MsgspecError:
            return event  # the event's head is read next, and says what is wrong
        del members[_VERSION]
        return _encode({**members, "data": data})

    def _unpack_event(self, event: bytes, place: str) -> bytes:
        try:
            text = _text(event)
        except msgspec.MsgspecError as error:
            raise Invalid(f"`{place}` is a text that cannot be read: {error}.") from error
        json = text.encode() if text.lstrip().startswith("{") else self._inflate(text, place)
        try:
            members = _members(json)
        except msgspec.MsgspecError as error:
            raise Invalid(f"`{place}` is a text, but not a packed rrweb event: {error}.") from error
        members.pop(_MARK, None)
        return _encode(members)

    def _unpack_value(self, value: Raw, place: str) -> Raw:
        written = bytes(value)
        if not written.startswith(b'"') or not (text := _text(written)).startswith(_GZIP):
            return value
        return _whole(self._inflate(text, place))

    def _inflate(self, text: str, place: str) -> bytes:
        decoder = zlib.decompressobj(_ANY_FORMAT)
        try:
            inflated = decoder.decompress(text.encode("latin-1"), self._left + 1)
        except (UnicodeEncodeError, zlib.error) as error:
            raise Invalid(f"`{place}` is a text, but not a packed rrweb event: {error}.") from error
        if len(inflated) > self._left:
            raise TooLarge(f"the rrweb events unpack to more than {self._limit} bytes: send smaller batches.")
        if not decoder.eof:
            raise Invalid(f"`{place}` is a packed rrweb event that ends too early.")
        self._left -= len(inflated)
        return clean_json(inflated, keep_null=True)
