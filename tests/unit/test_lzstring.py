"""What the real lz-string makes comes out again, from a browser's body, and nothing else gets through."""

import json
import tracemalloc
from contextlib import suppress
from itertools import count, islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lzstring import lz
from tests.unit.browser_packers import LZ, Packers, needs_packers
from tracker_backend.dialects.uxcam.lzstring import decompress
from tracker_backend.dialects.uxcam.text_member import read_text_member
from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.text_cleaning import clean_json

LIMIT = 4_000_000
any_text = st.text(st.characters(exclude_categories=()), max_size=40)
any_json = st.recursive(
    any_text | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(any_text, inner, max_size=4),
)


def snapshots(number: int) -> list[dict[str, Any]]:
    """Events as rrweb makes them."""
    full: dict[str, Any] = {"type": 2, "data": {"node": {"type": 0, "childNodes": []}}, "timestamp": 1_700_000_000_000}
    moves = [
        {"type": 3, "data": {"source": 1, "positions": [{"x": it % 997, "y": it % 613, "id": it}]}, "timestamp": it}
        for it in range(number)
    ]
    return [full, *moves]


SAMPLES: dict[str, str] = {
    "empty": "[]",
    "one": "[1]",
    "object": '{"type":4}',
    "whitespace first": '\n [\t{"a" : 1}]',
    "rrweb": json.dumps(snapshots(50), separators=(",", ":")),
    "emoji": json.dumps([{"text": "\U0001f600\U0001f468\u200d\U0001f469" * 30}], ensure_ascii=False),
    "scripts": json.dumps([{"text": "héllo \u3042\u4e2d\u6587 \u05d0\u0628 \ufeff\uffff"}], ensure_ascii=False),
    "NUL": json.dumps(["a\0b", {"\0": "\0\0"}]),
    "lone surrogates, escaped": json.dumps(["\ud800", "a\udc00b", "\ud83d\ude00"]),
    "lone surrogates": json.dumps(["\ud800", "a\udc00b"], ensure_ascii=False),
    "repetitive": json.dumps([{"text": "ab" * 200_000}]),
    "every unit": json.dumps(["".join(map(chr, range(32, 0xD800)))], ensure_ascii=False),
    "1 MB": json.dumps(snapshots(9_000), separators=(",", ":")),
}


def clean(text: str) -> bytes:
    """What is stored of a text: as UTF-8, without what PostgreSQL cannot hold."""
    return clean_json(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode(), keep_null=True)


def member(body: bytes) -> str:
    """`snapshots` of a body."""
    text = read_text_member(body, clean_json(body), "snapshots")
    assert text is not None
    return text


class TestOfTheLibrary:
    pytestmark = needs_packers

    @pytest.mark.parametrize("encoding", LZ)
    @pytest.mark.parametrize("sample", SAMPLES)
    def test_what_was_compressed_comes_out_of_the_body(self, packers: Packers, sample: str, encoding: str) -> None:
        text = SAMPLES[sample]
        assert decompress(member(packers.pack(text)[encoding]), LIMIT) == clean(text)

    @settings(deadline=None)
    @given(value=st.lists(any_json) | st.dictionaries(any_text, any_json), is_ascii=st.booleans())
    def test_every_json_text_comes_out(self, packers: Packers, value: Any, is_ascii: bool) -> None:
        text = json.dumps(value, ensure_ascii=is_ascii)
        bodies = packers.pack(text)
        for encoding in LZ:
            assert decompress(member(bodies[encoding]), LIMIT) == clean(text), encoding

    def test_the_raw_encoding_has_what_cleaning_would_destroy(self, packers: Packers) -> None:
        body = packers.pack(SAMPLES["every unit"])["compress"]
        assert clean_json(body) != body
        with pytest.raises(Invalid):
            decompress(json.loads(clean_json(body))["snapshots"], LIMIT)

    def test_a_plus_that_a_form_made_a_space_is_read(self, packers: Packers) -> None:
        text = member(packers.pack(SAMPLES["rrweb"])["compressToEncodedURIComponent"])
        assert "+" in text
        assert decompress(text.replace("+", " "), LIMIT) == clean(SAMPLES["rrweb"])

    @pytest.mark.parametrize("encoding", LZ)
    def test_a_text_that_is_cut_off_is_refused(self, packers: Packers, encoding: str) -> None:
        text = member(packers.pack(SAMPLES["rrweb"])[encoding]).rstrip("=")
        for cut in (5, 10, 20, len(text) // 2, len(text) - 4):
            with pytest.raises(Invalid, match="ends too early"):
                decompress(text[:-cut], LIMIT)

    @pytest.mark.parametrize("encoding", LZ)
    @given(data=st.data())
    def test_a_changed_text_is_refused_or_is_json(self, packers: Packers, encoding: str, data: st.DataObject) -> None:
        text = member(packers.pack(SAMPLES["rrweb"])[encoding])
        at = data.draw(st.integers(0, len(text) - 1))
        unit = data.draw(st.characters(exclude_categories=()) | st.sampled_from("AZaz09+/-$="))
        with suppress(Invalid, TooLarge):
            json.loads(decompress(text[:at] + unit + text[at + 1 :], LIMIT))

    @pytest.mark.parametrize("encoding", LZ)
    def test_the_bound_is_exact(self, packers: Packers, encoding: str) -> None:
        text = SAMPLES["scripts"]
        compressed, size = member(packers.pack(text)[encoding]), len(text.encode())
        assert decompress(compressed, size) == text.encode()
        with pytest.raises(TooLarge, match=str(size - 1)):
            decompress(compressed, size - 1)

    @pytest.mark.parametrize("encoding", LZ)
    def test_a_compressed_text_that_is_not_json_is_refused(self, packers: Packers, encoding: str) -> None:
        for text in ('[{"a":1},', "hello", '"[]"', "17"):
            with pytest.raises(Invalid, match=r"a text that is not JSON|does not begin like JSON"):
                decompress(member(packers.pack(text)[encoding]), LIMIT)

    @pytest.mark.parametrize("encoding", LZ)
    def test_json_that_is_nested_too_deep_is_refused(self, packers: Packers, encoding: str) -> None:
        compressed = member(packers.pack("[" * 50_000 + "]" * 50_000)[encoding])
        with pytest.raises(Invalid, match="nested too deep"):
            decompress(compressed, LIMIT)


@given(value=st.lists(any_json) | st.dictionaries(any_text, any_json), is_ascii=st.booleans())
def test_plain_json_text_is_taken(value: Any, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert decompress(text, LIMIT) == clean(text)


@given(
    any_text | st.text(st.sampled_from("ABCDwQYgN+/-$= "), max_size=40) | st.text(st.characters(max_codepoint=0x801F))
)
def test_noise_is_refused_or_read_but_never_an_accident(text: str) -> None:
    with suppress(Invalid, TooLarge):
        json.loads(decompress(text, 1000))


@given(st.lists(st.integers(0, 40) | st.characters(max_codepoint=0xFFFF, exclude_categories=()), max_size=40))
def test_no_row_of_codes_is_an_accident(codes: list[int | str]) -> None:
    with suppress(Invalid, TooLarge):
        json.loads(decompress(lz(["[", *codes, "]", 2]), 1000))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        ("AAAA", "as base64 it does not begin like JSON"),
        ("====", "as UTF-16 it"),
        (lz([2]), "as base64 it holds nothing"),
        (lz([3]), "as base64 it does not begin like LZ-String"),
        (lz(["[", 6, "]", 2]), "as base64 it holds a code that is not defined yet"),
        (lz(["[", "]"]), "as base64 it ends too early"),
        (lz(["[", "[", "]", 2]), "as base64 it decodes to a text that is not JSON"),
    ],
)
def test_the_error_says_what_was_wrong(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        decompress(text, LIMIT)


def test_a_code_may_name_the_entry_that_it_makes() -> None:
    assert decompress(lz(["[", 4, "]", 5, 5, 2]), LIMIT) == b"[[[]]]"


@pytest.mark.parametrize("start", ["[", " "])
def test_a_bomb_is_never_decompressed_whole(start: str) -> None:
    codes = 8_000
    bomb = lz([start, *islice(count(4), codes), 2])  # each entry is one unit longer than the one before
    assert codes**2 // 2 > 30 * 1_000_000
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge, match="1000000 bytes"):
            decompress(bomb, 1_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1_000_000


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'{"snapshots": "\ud800\u0000a\udc00\ud83d\ude00"}', "\ud800\0a\udc00\U0001f600"),
        (rb'{"a": {"snapshots": "inner"}, "\u0073napshots": "x\ud800", "b\ud800": "\udc00"}', "x\ud800"),
        ('{"\\ud800": "é", "snapshots": "\\udc00é\U0001f600"}'.encode(), "\udc00é\U0001f600"),
        (b'{"snapshots": "\xff\\ud800"}', "\ufffd\ufffd"),
        (b'{"snapshots": "plain", "b": [1]}', "plain"),
        (b'{"snapshots": ["\\ud800"]}', None),
        (b'{"snapshots": null}', None),
        (b"{}", None),
        (b"[]", None),
        (b'{"snapshots": "cut', None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_a_text_member_is_read_as_it_was_sent(body: bytes, text: str | None) -> None:
    assert read_text_member(body, clean_json(body), "snapshots") == text


@given(any_text, any_json)
def test_every_text_member_is_read_as_it_was_sent(text: str, beside: Any) -> None:
    body = json.dumps({"beside": beside, "snapshots": text}).encode()
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    assert read_text_member(body, clean_json(body), "snapshots") == joined
