"""Headers that are long, many, or never end; connections that send nothing; requests that follow each other."""

from collections.abc import Callable, Iterator
from itertools import repeat

from tests.hostile.hostile import CLOSED, Hostile, Pieces, Target, head

_TOO_LARGE = frozenset({431})
_KB = b"a" * 1000


def _raw(*pieces: bytes) -> Callable[[Target], Pieces]:
    return lambda target: pieces


def _many(begin: bytes, piece: bytes, times: int) -> Callable[[Target], Pieces]:
    """Sends a beginning, and then the same piece again and again."""

    def send(target: Target) -> Iterator[bytes]:
        yield begin
        yield from repeat(piece, times)

    return send


def _chunked(piece: bytes, times: int) -> Callable[[Target], Pieces]:
    """Sends the headers of a chunked body with a key, and then the same piece again and again."""

    def send(target: Target) -> Iterator[bytes]:
        yield head(target, "POST", "/api/v1/track", x_api_key=target.key, transfer_encoding="chunked")
        yield from repeat(piece, times)

    return send


_BEGIN = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"

HEADERS = [
    Hostile("a header line of 40 MB", _many(_BEGIN + b"x: ", _KB * 40, 1000), _TOO_LARGE),
    Hostile("a header name of 40 MB", _many(_BEGIN, _KB * 40, 1000), _TOO_LARGE),
    Hostile("an address of 40 MB", _many(b"GET /", _KB * 40, 1000), _TOO_LARGE),
    Hostile("400,000 headers", _many(_BEGIN, b"x: y\r\n" * 400, 1000), _TOO_LARGE),
    Hostile("101 headers", _raw(_BEGIN + b"x: y\r\n" * 100 + b"\r\n"), _TOO_LARGE),
    Hostile("headers of 65 KiB", _raw(_BEGIN + b"".join(b"x: %b\r\n" % _KB for _ in range(66)) + b"\r\n"), _TOO_LARGE),
    Hostile("100 headers", _raw(_BEGIN + b"x: y\r\n" * 99 + b"\r\n"), frozenset({200})),
    Hostile(
        "headers of 60 KiB", _raw(_BEGIN + b"".join(b"x: %b\r\n" % _KB for _ in range(60)) + b"\r\n"), frozenset({200})
    ),
    Hostile("no HTTP", _raw(b"\x16\x03\x01" + b"\0" * 500), frozenset({400})),
    Hostile("500 connections that send nothing", _raw(), frozenset({CLOSED}), 500),
    Hostile("500 connections that send half of the headers", _raw(_BEGIN), frozenset({CLOSED}), 500),
    Hostile("a connection that sends empty lines", _many(b"", b"\r\n", 10), frozenset({CLOSED})),
    Hostile("chunks whose extensions never end", _chunked(b"1;" + _KB * 40, 1000), frozenset({CLOSED})),
    Hostile("trailers without an end", _chunked(b"0\r\n" + b"x: " + _KB * 40, 1000), frozenset({CLOSED, 400})),
    Hostile(
        "chunks of one byte with long sizes", _chunked(b"0" * 1000 + b"1\r\n \r\n", 20_000), frozenset({CLOSED, 400})
    ),
    Hostile("10,000 requests at once", _many(b"", (_BEGIN + b"\r\n") * 1000, 10), frozenset({200})),
]
