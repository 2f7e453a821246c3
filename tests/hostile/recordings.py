"""Hostile recordings: packed events that unpack to much, and pages nested deeper than any reader reads."""

import json
import zlib
from uuid import uuid4

from tests.hostile.hostile import Hostile, post

_PATH = "/api/v1/track/recording"


def _bomb() -> bytes:
    packer = zlib.compressobj(9)
    packed = b"".join([*(packer.compress(bytes(1_000_000)) for _ in range(500)), packer.flush()])
    return json.dumps({"session_id": str(uuid4()), "events": [packed.decode("latin-1")] * 5}).encode()


def _deep(levels: int) -> bytes:
    data = b"[" * levels + b"]" * levels
    return b'{"session_id":"%b","events":[{"type":2,"data":%b,"timestamp":1795255200000}]}' % (
        str(uuid4()).encode(),
        data,
    )


RECORDINGS = [
    Hostile("packed events of 500 MB each", post(_PATH, _bomb()), frozenset({413}), 3),
    Hostile("a page nested 3,000 deep", post(_PATH, _deep(3_000)), frozenset({400, 422}), 10),
    Hostile("a page nested 6 million deep", post(_PATH, _deep(6_000_000)), frozenset({400, 422})),
]
