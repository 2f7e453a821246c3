"""What is wrong is refused with the right status and a text that helps, changes nothing, and the server goes on."""

import base64
import gzip
import io
import json
import struct
import zlib
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import brotli
import httpx
import pytest
from PIL import Image

from tests.http.api import API, PAGE, Json, batch, check_problem, event, events_of, new_session, now, row_counts, track
from tracker_backend.http.services import Services
from tracker_backend.zstd import ZstdCompressor

pytestmark = pytest.mark.tiers("plain")

BODY_LIMIT = "15728640"
BOMB = 200 * 1024 * 1024
DEPTH = 100_000


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _raw_event(member: str) -> bytes:
    """A batch whose event has one more member, as text."""
    return _json(batch(event(spot=0))).replace(b'"spot": 0', member.encode())


def _nested(text: str = "[", end: str = "]") -> str:
    return text * DEPTH + end * DEPTH


def _zeros() -> Iterator[bytes]:
    piece = bytes(1024 * 1024)
    for _ in range(BOMB // len(piece)):
        yield piece


@lru_cache
def _bomb(encoding: str) -> bytes:
    """200 MB of zeros, compressed."""
    if encoding == "br":
        return brotli.compress(bytes(BOMB), quality=5)
    if encoding == "zstd":
        zstd_packer = ZstdCompressor()
        return b"".join(zstd_packer.compress(piece) for piece in _zeros()) + zstd_packer.flush()
    if encoding == "gzip, gzip":
        return gzip.compress(_bomb("gzip"), mtime=0)
    packer = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    return b"".join(packer.compress(piece) for piece in _zeros()) + packer.flush()


def _image(kind: str = "png", size: tuple[int, int] = (8, 8)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, "navy").save(out, kind)
    return out.getvalue()


def _huge_png() -> bytes:
    """A small file whose header says 9000 by 9000 pixels."""
    header = struct.pack(">IIBBBBB", 9000, 9000, 1, 0, 0, 0, 0)
    packed = zlib.compress(bytes((9000 // 8 + 1) * 9000), 9)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _shot(data: bytes | str, kind: str = "png", **fields: object) -> bytes:
    text = data if isinstance(data, str) else f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    sent: Json = {
        "session_id": new_session(),
        "page_url": PAGE,
        "timestamp": now().isoformat(),
        "image_data": text,
        "width": 8,
        "height": 8,
        **fields,
    }
    return _json(sent)


@dataclass
class Bad:
    """A body, and what its refusal says."""

    body: Callable[[], bytes]
    status: int
    kind: str
    tells: tuple[str, ...] = ()
    path: str = "/track"
    headers: dict[str, str] = field(default_factory=dict[str, str])


def _bad_time(value: object) -> Bad:
    return Bad(
        lambda: _json(batch(event(), event(timestamp=value))), 422, "invalid", ("$.events[1].timestamp", "ISO 8601")
    )


def _bad_field(name: str, value: object, *tells: str) -> Bad:
    return Bad(lambda: _json(batch(event(), event(**{name: value}))), 422, "invalid", ("$.events[1]", name, *tells))


def _bad_shot(body: Callable[[], bytes], status: int, kind: str, *tells: str) -> Bad:
    return Bad(body, status, kind, tells, "/track/screenshot")


def _bad_start(status: int, kind: str, *tells: str, **fields: object) -> Bad:
    return Bad(lambda: _json({"page_url": PAGE, **fields}), status, kind, tells, "/sessions")


def _encoded(encoding: str, body: Callable[[], bytes], status: int, kind: str, *tells: str) -> Bad:
    return Bad(body, status, kind, tells, headers={"content-encoding": encoding})


BAD: dict[str, Bad] = {
    "101 events": Bad(lambda: _json(batch(*[event()] * 101)), 422, "invalid", ("<= 100", "$.events")),
    "no events": Bad(lambda: _json({"session_id": new_session(), "events": []}), 422, "invalid", (">= 1", "$.events")),
    "events missing": Bad(lambda: _json({"session_id": new_session()}), 422, "invalid", ("events",)),
    "events not a list": Bad(lambda: _json({"session_id": new_session(), "events": {}}), 422, "invalid", ("array",)),
    "an event not an object": Bad(lambda: _json(batch(event(), 7)), 422, "invalid", ("$.events[1]",)),  # pyright: ignore[reportArgumentType]
    "an empty body": Bad(lambda: b"", 400, "malformed", ("not JSON",)),
    "not JSON": Bad(lambda: b"session_id=1&events=2", 400, "malformed", ("not JSON", "byte 0")),
    "JSON cut off": Bad(lambda: _json(batch())[:-1], 400, "malformed", ("not JSON",)),
    "JSON followed by more": Bad(lambda: _json(batch()) + b"{}", 400, "malformed", ("not JSON",)),
    "a bare list": Bad(lambda: b"[]", 422, "invalid", ("object",)),
    "a NUL byte in a text": Bad(lambda: _raw_event('"event_data": "\0"'), 400, "malformed", ("not JSON",)),
    "UTF-16": Bad(lambda: json.dumps(batch()).encode("utf-16"), 400, "malformed", ("not JSON",)),
    "a list nested 100,000 deep": Bad(lambda: _nested().encode(), 422, "invalid", ("object",)),
    "an unknown member nested 100,000 deep": Bad(
        lambda: _json({**batch(), "spot": 0}).replace(b'"spot": 0', b'"x": ' + _nested().encode()),
        400,
        "malformed",
        ("nested too deeply",),
    ),
    "event_data nested 100,000 deep": Bad(
        lambda: _raw_event(f'"event_data": {_nested()}'), 400, "malformed", ("nested too deeply",)
    ),
    "objects in event_data nested 100,000 deep": Bad(
        lambda: _raw_event('"event_data": ' + '{"a":' * DEPTH + "1" + "}" * DEPTH),
        400,
        "malformed",
        ("nested too deeply",),
    ),
    "metadata nested 100,000 deep": Bad(
        lambda: b'{"page_url": "https://a.example/", "metadata": {"a": ' + _nested().encode() + b"}}",
        400,
        "malformed",
        ("nested too deeply",),
        "/sessions",
    ),
    "a gzip bomb": _encoded("gzip", lambda: _bomb("gzip"), 413, "too-large", BODY_LIMIT),
    "a gzip bomb without a header": Bad(lambda: _bomb("gzip"), 413, "too-large", (BODY_LIMIT,)),
    "a deflate bomb": _encoded("deflate", lambda: _bomb("deflate"), 413, "too-large", BODY_LIMIT),
    "a brotli bomb": _encoded("br", lambda: _bomb("br"), 413, "too-large", BODY_LIMIT),
    "a zstd bomb": _encoded("zstd", lambda: _bomb("zstd"), 413, "too-large", BODY_LIMIT),
    "a gzip bomb in gzip": _encoded("gzip, gzip", lambda: _bomb("gzip, gzip"), 413, "too-large", BODY_LIMIT),
    "a body over the limit": Bad(lambda: _json(batch(event(event_data="x" * 16_000_000))), 413, "too-large", ()),
    "an unknown encoding": _encoded("lzma", lambda: _json(batch()), 415, "undecodable", "'lzma'", "gzip"),
    "gzip cut off": _encoded("gzip", lambda: gzip.compress(_json(batch()))[:-12], 415, "undecodable", "ends too early"),
    "gzip with a wrong checksum": _encoded(
        "gzip", lambda: gzip.compress(_json(batch()))[:-8] + bytes(8), 415, "undecodable", "gzip"
    ),
    "deflate cut off": _encoded("deflate", lambda: zlib.compress(_json(batch()))[:-6], 415, "undecodable", "early"),
    "brotli cut off": _encoded("br", lambda: brotli.compress(_json(batch()))[:-3], 415, "undecodable", "early"),
    "zstd cut off": _encoded(
        "zstd", lambda: ZstdCompressor().compress(_json(batch()), ZstdCompressor.FLUSH_FRAME)[:-3], 415, "undecodable"
    ),
    "plain text called gzip": _encoded("gzip", lambda: _json(batch()), 415, "undecodable", "gzip"),
    "plain text called brotli": _encoded("br", lambda: _json(batch()), 415, "undecodable", "br"),
    "plain text called zstd": _encoded("zstd", lambda: _json(batch()), 415, "undecodable", "zstd"),
    "gzip in more members than anyone sends": _encoded(
        "gzip", lambda: gzip.compress(b"", mtime=0) * 500_000, 415, "undecodable", "100 members"
    ),
    "zstd in more frames than anyone sends": _encoded(
        "zstd", lambda: ZstdCompressor().flush() * 500_000, 415, "undecodable", "100 frames"
    ),
    "four encodings": _encoded("br, br, br, gzip", lambda: _json(batch()), 415, "undecodable", "4", "3"),
    "an empty body called gzip": _encoded("gzip", lambda: b"", 415, "undecodable", "gzip"),
    "a time that is none": _bad_time("yesterday"),
    "an empty time": _bad_time(""),
    "a time in month 13": _bad_time("2026-13-01T00:00:00Z"),
    "a time that is null": _bad_field("timestamp", None, "null"),
    "a time that is a boolean": _bad_field("timestamp", True, "bool"),
    "an event type that is empty": _bad_field("event_type", "", ">= 1"),
    "no event type": Bad(
        lambda: _json(batch({"timestamp": 1, "page_url": PAGE})), 422, "invalid", ("event_type", "$.events[0]")
    ),
    "a number of a million digits in event_data": Bad(
        lambda: _raw_event('"event_data": 1e999999'), 422, "invalid", ("beyond what a double",)
    ),
    "such a number in an unknown field": Bad(lambda: _raw_event('"spot": -1e999999'), 422, "invalid", ("1e999999",)),
    "no page_url anywhere": Bad(
        lambda: _json(batch({"timestamp": 1, "event_type": "click"})), 422, "invalid", ("page_url",)
    ),
    "only empty page_urls": Bad(lambda: _json(batch(event(page_url=""))), 422, "invalid", ("page_url",)),
    "a session id that is no UUID": Bad(
        lambda: _json(batch(session_id="abc")), 422, "invalid", ("UUID", "$.session_id")
    ),
    "a session id that is a number": Bad(
        lambda: _json({**batch(), "session_id": 5}), 422, "invalid", ("uuid", "$.session_id")
    ),
    "no session id": Bad(lambda: _json({"events": [event()]}), 422, "invalid", ("session_id",)),
    "an empty batch_id": Bad(lambda: _json(batch(batch_id="")), 422, "invalid", ("$.batch_id", ">= 1")),
    "a batch_id of 201 characters": Bad(lambda: _json(batch(batch_id="b" * 201)), 422, "invalid", ("<= 200",)),
    "a start without page_url": Bad(lambda: b"{}", 422, "invalid", ("page_url",), "/sessions"),
    "a start that is no object": Bad(lambda: b'"hello"', 422, "invalid", ("object",), "/sessions"),
    "a start that is not JSON": Bad(lambda: b"{", 400, "malformed", ("not JSON",), "/sessions"),
    "a start with a session id that is no UUID": _bad_start(422, "invalid", "UUID", session_id="one"),
    "a start with a number of a million digits": Bad(
        lambda: b'{"page_url": "https://a.example/", "metadata": {"n": 1e999999}}',
        422,
        "invalid",
        ("`metadata`", "1e999999"),
        "/sessions",
    ),
    "a screenshot that is no image": _bad_shot(lambda: _shot(b"hello"), 422, "invalid", "JPEG, PNG or WebP"),
    "a screenshot that is no data URL": _bad_shot(
        lambda: _shot("https://a.example/x.png"), 422, "invalid", "data:image/jpeg;base64,"
    ),
    "a screenshot that is SVG": _bad_shot(
        lambda: _shot(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg+xml"), 422, "invalid", "data:image/jpeg"
    ),
    "a screenshot whose base64 is broken": _bad_shot(
        lambda: _shot("data:image/png;base64,@@@@"), 422, "invalid", "base64"
    ),
    "a screenshot whose type lies": _bad_shot(
        lambda: _shot(_image("png"), "jpeg"), 422, "invalid", "image/jpeg", "png"
    ),
    "a screenshot that is a GIF": _bad_shot(lambda: _shot(_image("gif"), "png"), 422, "invalid", "JPEG, PNG or WebP"),
    "a PNG cut off": _bad_shot(lambda: _shot(_image("png", (64, 64))[:-40]), 422, "invalid", "not an image"),
    "a JPEG cut off": _bad_shot(lambda: _shot(_image("jpeg", (64, 64))[:-100], "jpeg"), 422, "invalid", "not an image"),
    "a screenshot of 81 megapixels": _bad_shot(lambda: _shot(_huge_png()), 413, "too-large", "9000", "40000000"),
    "a screenshot of more than 10 MB": _bad_shot(
        lambda: _shot(_image("jpeg") + bytes(10 * 1024 * 1024), "jpeg"), 413, "too-large", "10485760"
    ),
    "a screenshot without a time": _bad_shot(
        lambda: _shot(_image(), timestamp="noon"), 422, "invalid", "`timestamp` is 'noon'"
    ),
    "a screenshot without a page": _bad_shot(lambda: _shot(_image(), page_url=""), 422, "invalid", "$.page_url"),
    "a screenshot of no session": _bad_shot(lambda: _shot(_image(), session_id="one"), 422, "invalid", "UUID"),
}


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD.items()])
async def test_bad_input_is_refused_with_a_reason_stores_nothing_and_the_next_batch_is_accepted(
    standing_client: httpx.AsyncClient, standing_services: Services, bad: Bad
) -> None:
    before = await row_counts(standing_services.pool)

    answer = await standing_client.post(f"{API}{bad.path}", content=bad.body(), headers=bad.headers)

    check_problem(answer, bad.status, bad.kind, *bad.tells)
    assert await row_counts(standing_services.pool) == before

    stored = await track(standing_client)
    assert len(await events_of(standing_client, stored)) == 1


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip"])
def test_the_bombs_of_these_tests_are_small(encoding: str) -> None:
    assert len(_bomb(encoding)) < 20_000


@dataclass
class BadRead:
    """A path and parameters, and what the refusal says."""

    path: str
    status: int
    kind: str
    tells: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict[str, str])


_NOBODY = new_session()
BAD_READS: dict[str, BadRead] = {
    "an unknown session": BadRead(f"/sessions/{_NOBODY}", 404, "not-found", (_NOBODY,)),
    "events of an unknown session": BadRead(f"/sessions/{_NOBODY}/events", 404, "not-found", (_NOBODY,)),
    "screenshots of an unknown session": BadRead(f"/sessions/{_NOBODY}/screenshots", 404, "not-found", (_NOBODY,)),
    "a session that is no UUID": BadRead("/sessions/one", 404, "not-found"),
    "an unknown path": BadRead("/nothing", 404, "not-found"),
    "an unknown screenshot": BadRead("/screenshots/17", 404, "not-found", ("17",)),
    "a screenshot beyond all ids": BadRead("/screenshots/9999999999999999999999", 404, "not-found"),
    "a negative screenshot": BadRead("/screenshots/-1", 404, "not-found"),
    "a limit of zero": BadRead("/sessions", 422, "invalid", ("limit",), {"limit": "0"}),
    "a limit of 501": BadRead("/sessions", 422, "invalid", ("limit", "500"), {"limit": "501"}),
    "a limit that is a text": BadRead("/sessions", 422, "invalid", ("limit",), {"limit": "all"}),
    "a negative offset": BadRead("/sessions", 422, "invalid", ("offset",), {"offset": "-1"}),
    "an unknown sort": BadRead(
        "/sessions", 422, "invalid", ("'user_id; drop'", "started_at"), {"sort": "user_id; drop"}
    ),
    "a from that is no time": BadRead("/sessions", 422, "invalid", ("`from` is 'noon'",), {"from": "noon"}),
    "a to that no calendar has": BadRead("/sessions", 422, "invalid", ("`to` is '1e300'",), {"to": "1e300"}),
    "a to beyond all numbers": BadRead("/sessions", 422, "invalid", ("`to`",), {"to": "1e308"}),
    "an infinite from": BadRead("/analytics/hourly", 422, "invalid", ("`from` is 'inf'",), {"from": "inf"}),
    "an unknown device": BadRead("/sessions", 422, "invalid", ("device_type",), {"device_type": "toaster"}),
    "has_errors that is neither": BadRead("/sessions", 422, "invalid", ("has_errors",), {"has_errors": "maybe"}),
    "has_recording that is neither": BadRead(
        "/sessions", 422, "invalid", ("has_recording",), {"has_recording": "maybe"}
    ),
    "a negative duration": BadRead("/sessions", 422, "invalid", ("min_duration",), {"min_duration": "-1"}),
    "a cursor that is none": BadRead("/sessions", 422, "invalid", ("cursor", "next_cursor"), {"cursor": "abc"}),
    "a cursor that is not even text": BadRead("/sessions", 422, "invalid", ("cursor",), {"cursor": "\u00e9\U0001f600"}),
    "an unknown group": BadRead(
        "/analytics/hourly", 422, "invalid", ("`group_by` is visitor", "page_host"), {"group_by": "visitor,bucket"}
    ),
    "a filter with a NUL": BadRead("/sessions", 422, "invalid", (), {"user_id": "\0"}),
    "an hourly filter with a NUL": BadRead("/analytics/hourly", 422, "invalid", (), {"event_type": "a\0b"}),
    "a page filter with a NUL": BadRead("/sessions", 422, "invalid", (), {"page_url": "\0"}),
}


@pytest.mark.parametrize("bad", [pytest.param(bad, id=name) for name, bad in BAD_READS.items()])
async def test_a_bad_question_is_refused_with_a_reason(standing_client: httpx.AsyncClient, bad: BadRead) -> None:
    answer = await standing_client.get(f"{API}{bad.path}", params=bad.parameters)
    check_problem(answer, bad.status, bad.kind, *bad.tells)


def _cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(_json(values)).decode()


async def test_a_forged_cursor_is_refused(standing_client: httpx.AsyncClient) -> None:
    session = await track(standing_client)
    for cursor in (
        _cursor("2026-01-01T00:00:00Z", 2**70),
        _cursor("2026-01-01T00:00:00Z", "x"),
        _cursor(5, 5),
        _cursor(),
        "e30",
    ):
        answer = await standing_client.get(f"{API}/sessions/{session}/events", params={"cursor": cursor})
        check_problem(answer, 422, "invalid")
    for cursor in (
        _cursor("-started_at", "2026-01-01T00:00:00Z"),
        _cursor("started_at", "2026-01-01T00:00:00Z", session),
        _cursor("-event_count", 1e308, session),
    ):
        answer = await standing_client.get(f"{API}/sessions", params={"cursor": cursor})
        check_problem(answer, 422, "invalid")


async def test_a_filter_with_bytes_that_are_no_text_is_answered(standing_client: httpx.AsyncClient) -> None:
    for escaped in ("%FF", "%ED%A0%80", "%C0%80"):
        answer = await standing_client.get(f"{API}/sessions?user_id=nobody-{escaped}&page_url={escaped}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"] == []


async def test_a_body_whose_length_is_not_told_is_bounded_too(standing_client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        for _ in range(16):
            yield bytes(1024 * 1024)

    answer = await standing_client.post(f"{API}/track", content=pieces())
    check_problem(answer, 413, "too-large")


async def test_a_wrong_method_is_refused_as_a_problem(standing_client: httpx.AsyncClient) -> None:
    answer = await standing_client.put(f"{API}/track", json=batch())
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 405
