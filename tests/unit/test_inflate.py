"""Inflating within a bound: of memory, of time, and of what may be nested."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import suppress

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backend.errors import TooLarge, Undecodable
from tracker_backend.http.body import inflate
from tracker_backend.zstd import ZstdCompressor

LIMIT = 1_000_000


def raw_deflate(data: bytes) -> bytes:
    """Deflate without zlib's header."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    """One frame."""
    packer = ZstdCompressor()
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "bare deflate": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd),
}
packers = pytest.mark.parametrize(("encoding", "pack"), PACKERS.values(), ids=list(PACKERS))


@packers
@given(data=st.binary(max_size=2000).filter(lambda data: not data.startswith(b"\x1f\x8b")))
def test_what_was_packed_comes_out(encoding: str, pack: Callable[[bytes], bytes], data: bytes) -> None:
    assert inflate(pack(data), encoding, LIMIT) == data
    assert inflate(gzip.compress(data), "", LIMIT) == data
    assert inflate(data, "identity", LIMIT) == data


@packers
def test_the_bound_is_exact(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    assert len(inflate(pack(bytes(LIMIT)), encoding, LIMIT)) == LIMIT
    with pytest.raises(TooLarge, match=str(LIMIT)):
        inflate(pack(bytes(LIMIT + 1)), encoding, LIMIT)


@packers
def test_a_bomb_is_never_inflated_whole(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(bytes(20 * LIMIT))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            inflate(bomb, encoding, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5 * LIMIT


@packers
@given(data=st.binary(min_size=1, max_size=200), cut=st.integers(1, 30))
def test_what_is_cut_off_is_refused(encoding: str, pack: Callable[[bytes], bytes], data: bytes, cut: int) -> None:
    packed = pack(data)
    with pytest.raises(Undecodable):
        inflate(packed[: max(1, len(packed) - cut)], encoding, LIMIT)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
@given(data=st.binary(max_size=300))
def test_noise_is_refused_or_read_but_never_an_accident(encoding: str, data: bytes) -> None:
    with suppress(Undecodable, TooLarge):
        assert len(inflate(data, encoding, LIMIT)) <= LIMIT


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd)])
def test_a_million_empty_frames_end_soon(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    frames = pack(b"") * 1_000_000
    with pytest.raises(Undecodable, match="more than 100"):
        inflate(frames, encoding, 15 * LIMIT)


@pytest.mark.parametrize(
    ("encoding", "text"), [("lzma", "lzma"), ("gzip, nonsense", "nonsense"), ("br,br,br,br", "4 content encodings")]
)
def test_unknown_and_too_many_encodings_are_named(encoding: str, text: str) -> None:
    with pytest.raises(Undecodable, match=text):
        inflate(gzip.compress(b"x"), encoding, LIMIT)


def test_encodings_are_undone_in_turn() -> None:
    assert inflate(gzip.compress(brotli.compress(b"x")), "br, gzip", LIMIT) == b"x"
    assert inflate(gzip.compress(gzip.compress(b"x")), "gzip", LIMIT) == b"x", "the inner one tells by its magic"
    assert inflate(gzip.compress(b"a") + gzip.compress(b"b"), "", LIMIT) == b"ab"
