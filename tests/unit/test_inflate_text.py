"""What the real pako makes comes out of base64, within a bound, and nothing else gets through."""

import base64
import json
import tracemalloc
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.browser_packers import PAKO, Packers, needs_packers
from tracker_backend.dialects.spectra.inflate import inflate_text
from tracker_backend.errors import Invalid, TooLarge

LIMIT = 1_000_000
WBITS = {"zlib": 15, "gzip": 31, "deflate": -15}
SAMPLES = {
    "empty": "[]",
    "emoji and NUL": json.dumps([{"text": "\U0001f600é\0\u3042" * 9}], ensure_ascii=False),
    "repetitive": json.dumps(["ab" * 200_000]),
    "events": json.dumps([{"type": 3, "data": {"source": 1, "id": it}, "timestamp": it * 37} for it in range(9000)]),
}
formats = pytest.mark.parametrize("name", WBITS)


def pack(data: bytes, name: str, level: int = 9) -> bytes:
    """As pako does."""
    packer = zlib.compressobj(level, wbits=WBITS[name])
    return packer.compress(data) + packer.flush()


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


class TestOfTheLibrary:
    pytestmark = needs_packers

    @pytest.mark.parametrize("packer", PAKO)
    @pytest.mark.parametrize("sample", SAMPLES)
    def test_what_was_packed_comes_out(self, packers: Packers, sample: str, packer: str) -> None:
        sent = json.loads(packers.pack(SAMPLES[sample])[packer])["snapshots"]
        assert inflate_text(sent, LIMIT) == SAMPLES[sample].encode()


@formats
@given(data=st.binary(max_size=500), level=st.integers(0, 9))
def test_base64_may_be_of_either_alphabet_and_without_padding(name: str, data: bytes, level: int) -> None:
    packed = pack(data, name, level)
    standard, safe = text(packed), base64.urlsafe_b64encode(packed).decode()
    lines = base64.encodebytes(packed).decode()
    for sent in (standard, standard.rstrip("="), safe, safe.rstrip("="), lines):
        assert inflate_text(sent, LIMIT) == data


@formats
def test_the_bound_is_exact(name: str) -> None:
    assert inflate_text(text(pack(bytes(LIMIT), name)), LIMIT) == bytes(LIMIT)
    with pytest.raises(TooLarge, match=str(LIMIT)):
        inflate_text(text(pack(bytes(LIMIT + 1), name)), LIMIT)


@formats
def test_a_bomb_is_never_inflated_whole(name: str) -> None:
    bomb = text(pack(bytes(30 * LIMIT), name))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            inflate_text(bomb, LIMIT)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * LIMIT


@formats
@given(data=st.binary(min_size=1, max_size=200), cut=st.integers(1, 30))
def test_what_is_cut_off_is_refused(name: str, data: bytes, cut: int) -> None:
    packed = pack(data, name)
    with pytest.raises(Invalid):
        inflate_text(text(packed[: max(1, len(packed) - cut)]), LIMIT)


@given(st.text(st.characters(exclude_categories=()), max_size=40) | st.binary(max_size=60).map(text))
def test_noise_is_refused_or_read_but_never_an_accident(sent: str) -> None:
    with suppress(Invalid, TooLarge):
        assert len(inflate_text(sent, 1000)) <= 1000


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        ("", "is empty"),
        ("A", "not valid base64"),
        ("eJw*", "not valid base64"),
        ("é", "not ASCII"),
        ("\ud800", "not ASCII"),
        ("eA==eA==", "not valid base64"),
        ("[1, 2]", "not valid base64"),
        (text(b"\x78\x9c\xff\xff"), "not valid zlib"),
        (text(b"\x1f\x8bxx"), "not valid gzip"),
        (text(b"[]"), "deflate"),
        (text(pack(b"[]", "gzip")[:-3]), r"\(gzip\) ends too early"),
        (text(pack(b"[]", "zlib")[:-4] + b"xxxx"), "not valid zlib"),
        (text(pack(b"[]", "zlib") + b"junk"), "4 bytes follow"),
    ],
)
def test_the_error_names_the_layer_that_is_broken(sent: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        inflate_text(sent, LIMIT)


def test_the_unused_rest_of_a_buffer_is_no_error() -> None:
    assert inflate_text(text(pack(b"[]", "zlib") + bytes(99)), LIMIT) == b"[]"
