"""The hostile requests. Each was found to stop the server, or to fill its memory, before its fix.

To add one, write a line: a name that says what it is, what is sent (`track`, `recording`, `post`, or a function of your
own), and what must come back.
"""

from collections.abc import Iterator
from itertools import repeat

from tests.hostile.hostile import Hostile, Target, head, post

_MB = 1_000_000
_TOO_LARGE = frozenset({413})
_REFUSED = frozenset({401})


def _body_without_a_key(target: Target) -> Iterator[bytes]:
    yield head(
        target,
        "POST",
        "/api/v1/track",
        origin="https://other.example",
        x_forwarded_for="203.0.113.9",
        content_length=14 * _MB,
    )
    yield from repeat(b" " * 100_000, 140)


HOSTILE = [
    Hostile("a body of 14 MB without a key, 60 times", _body_without_a_key, _REFUSED, connections=60),
    Hostile("a body over the limit", post("/api/v1/track", b" " * 16 * _MB), _TOO_LARGE),
]
