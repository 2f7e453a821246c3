"""Bodies as clients pack and label them: compressed with and without a header, and without a content type."""

import gzip
import json
import zlib
from collections.abc import Callable

import brotli
import httpx
import pytest

from tests.http.api import API, Json, batch, event, events_of
from tracker_backend.zstd import ZstdCompressor

pytestmark = pytest.mark.tiers("plain")

URL = f"{API}/track"


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def _zstd(data: bytes) -> bytes:
    packer = ZstdCompressor()
    return packer.compress(data) + packer.flush()


def _streamed_brotli(data: bytes) -> bytes:
    return brotli.compress(data, quality=11)


PACKED: dict[str, tuple[str | None, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "GZIP": ("GZIP", gzip.compress),
    "deflate with zlib's header": ("deflate", zlib.compress),
    "deflate without zlib's header": ("deflate", _raw_deflate),
    "deflate at its fastest": ("deflate", lambda data: zlib.compress(data, 0)),
    "br": ("br", _streamed_brotli),
    "zstd": ("zstd", _zstd),
    "zstd in two frames": ("zstd", lambda data: _zstd(data[:50]) + _zstd(data[50:])),
    "gzip in two members": ("gzip", lambda data: gzip.compress(data[:50]) + gzip.compress(data[50:])),
    "gzip without a header": (None, gzip.compress),
    "gzip called identity": ("identity", gzip.compress),
    "identity": ("identity", bytes),
    "gzip after deflate": ("deflate, gzip", lambda data: gzip.compress(zlib.compress(data))),
    "gzip inside br": ("br", lambda data: _streamed_brotli(gzip.compress(data))),
}


@pytest.mark.parametrize(("encoding", "pack"), PACKED.values(), ids=list(PACKED))
@pytest.mark.parametrize("size", [1, 100_000])
async def test_a_packed_body_is_read(
    standing_client: httpx.AsyncClient, encoding: str | None, pack: Callable[[bytes], bytes], size: int
) -> None:
    data: Json = {"text": "ä\u2028" * size, "n": list(range(size % 1000))}
    body = batch(event(event_data=data))
    headers = {} if encoding is None else {"content-encoding": encoding}
    answer = await standing_client.post(URL, content=pack(json.dumps(body).encode()), headers=headers)
    assert answer.status_code == 201, answer.text
    [line] = await events_of(standing_client, body["session_id"])
    assert line["event_data"] == data


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "text/plain;charset=UTF-8",
        "application/json",
        "application/x-www-form-urlencoded",
        "",
        "nonsense",
        "a/b/c; ;",
    ],
)
async def test_a_content_type_does_not_matter(standing_client: httpx.AsyncClient, content_type: str | None) -> None:
    body = batch()
    for content in (json.dumps(body).encode(), gzip.compress(json.dumps(body).encode())):
        headers = {} if content_type is None else {"content-type": content_type}
        answer = await standing_client.post(URL, content=content, headers=headers)
        assert answer.status_code == 201, answer.text
    assert len(await events_of(standing_client, body["session_id"])) == 1, "packed or not, it is the same batch"


async def test_starts_and_screenshots_are_read_packed_too(standing_client: httpx.AsyncClient) -> None:
    start = {"page_url": "https://a.example/"}
    answer = await standing_client.post(f"{API}/sessions", content=gzip.compress(json.dumps(start).encode()))
    assert answer.status_code == 201
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    shot: Json = {**start, "timestamp": 1, "image_data": f"data:image/png;base64,{pixel}"}
    shot["session_id"] = answer.json()["session_id"]
    packed = gzip.compress(json.dumps(shot).encode())
    answer = await standing_client.post(f"{API}/track/screenshot", content=packed)
    assert answer.status_code == 201, answer.text


async def test_a_body_of_just_the_limit_is_read(standing_client: httpx.AsyncClient) -> None:
    body = batch(event(event_data=""))
    text = json.dumps(body)
    room = 15 * 1024 * 1024 - len(text)
    for content, status in (
        (text.replace('""', f'"{"x" * room}"'), 201),
        (text.replace('""', f'"{"x" * (room + 1)}"'), 413),
    ):
        for packed, headers in (
            (content.encode(), {}),
            (gzip.compress(content.encode(), 1), {"content-encoding": "gzip"}),
        ):
            answer = await standing_client.post(URL, content=packed, headers=headers)
            assert answer.status_code == status, answer.text
    [line] = await events_of(standing_client, body["session_id"])
    assert len(line["event_data"]) == room
