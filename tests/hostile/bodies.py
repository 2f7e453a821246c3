"""Bodies that are large, many or slow; with a key, without one, or with a wrong one inside."""

import gzip
from collections.abc import Callable, Iterator
from itertools import repeat

from tests.hostile.hostile import Hostile, Pieces, Target, head, post, track

_LENGTH = 14_000_000
_SPACES = b" " * 100_000
_CHUNK = b"186a0\r\n" + _SPACES + b"\r\n"
_REFUSED = frozenset({401})
_TOO_LARGE = frozenset({413})
_UNREADABLE_OR_LATER = frozenset({400, 503})


def _slowly(path: str, *, with_key: bool, sent: int) -> Callable[[Target], Pieces]:
    """Announces 14 MB, sends so many of them, and then nothing."""

    def send(target: Target) -> Iterator[bytes]:
        headers = {"x_api_key": target.key} if with_key else {"origin": "https://other.example", "via": "1.1 proxy"}
        yield head(target, "POST", path, content_length=_LENGTH, **headers)
        yield from repeat(_SPACES, sent // len(_SPACES))

    return send


def _in_chunks(path: str) -> Callable[[Target], Pieces]:
    """Sends 14 MB of which the length is not announced."""

    def send(target: Target) -> Iterator[bytes]:
        yield head(target, "POST", path, transfer_encoding="chunked", content_type="application/json")
        yield from repeat(_CHUNK, _LENGTH // len(_SPACES))
        yield b"0\r\n\r\n"

    return send


def _with_a_key_inside(path: str) -> Callable[[Target], Pieces]:
    """Sends 14 MB in which the key of somebody would have to stand."""

    def send(target: Target) -> Iterator[bytes]:
        yield head(target, "POST", path, content_length=_LENGTH, via="1.1 proxy")
        yield from repeat(_SPACES, _LENGTH // len(_SPACES))

    return send


_ZEROS = gzip.compress(b" " * 15_000_000)

BODIES = [
    Hostile("a body without a key that is never sent", _slowly("/api/v1/track", with_key=False, sent=0), _REFUSED),
    Hostile(
        "60 bodies of 14 MB without a key",
        _slowly("/api/v1/track", with_key=False, sent=_LENGTH),
        _REFUSED,
        connections=60,
    ),
    Hostile("60 bodies of 14 MB", post("/api/v1/track", b" " * _LENGTH), _UNREADABLE_OR_LATER, connections=60),
    Hostile(
        "60 bodies of 14 MB with an event in them",
        track(event_data="x y " * (_LENGTH // 4)),
        frozenset({201, 413, 422, 503}),
        connections=60,
    ),
    Hostile(
        "60 bodies that inflate to 15 MB",
        post("/api/v1/track", _ZEROS, content_encoding="gzip"),
        _UNREADABLE_OR_LATER,
        connections=60,
    ),
    Hostile("60 bodies of uxcam without a key", _with_a_key_inside("/api/events/ingest"), _UNREADABLE_OR_LATER, 60),
    Hostile("60 bodies of reev without a key", _with_a_key_inside("/events"), _UNREADABLE_OR_LATER, 60),
    Hostile(
        "30 bodies of 14 MB that stop in the middle",
        _slowly("/api/v1/track", with_key=True, sent=_LENGTH // 2),
        frozenset({503}),
        30,
    ),
    Hostile("a body over the limit", post("/api/v1/track", b" " * 16_000_000), _TOO_LARGE),
    Hostile("a large body of a login", post("/api/v1/login", b" " * 100_000), _TOO_LARGE),
    Hostile("a large body of a login in chunks", _in_chunks("/api/v1/login"), _TOO_LARGE),
    Hostile("a large body of a one-time link in chunks", _in_chunks("/api/v1/links/look"), _TOO_LARGE),
]
