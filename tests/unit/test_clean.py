"""A JSON text becomes one that PostgreSQL can hold, and nothing else about it changes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backend.errors import Invalid
from tracker_backend.text_cleaning import check_numbers, clean_json, clean_text

BAD = "\ufffd"
any_text = st.text(st.characters(exclude_categories=()), max_size=40)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (rb'"\u0000"', BAD),
        (rb'"\\u0000"', r"\u0000"),
        (rb'"\\\u0000"', "\\" + BAD),
        (rb'"\\\\u0000"', r"\\u0000"),
        (rb'"\u00000"', BAD + "0"),
        (rb'"\uD83D\uDE00"', "\U0001f600"),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        (rb'"\ud83d"', BAD),
        (rb'"\ude00"', BAD),
        (rb'"\ude00\ud83d"', BAD + BAD),
        (rb'"\ud83d\ud83d\ude00"', BAD + "\U0001f600"),
        (rb'"\ud83d\\ude00"', BAD + r"\ude00"),
        (rb'"\ud83d\n\ude00"', BAD + "\n" + BAD),
        (rb'"\ud7ff\ue000"', "\ud7ff\ue000"),
        (b'"\xff"', BAD),
        (b'"\xed\xa0\x80"', BAD * 3),
        ('"é\U0001f600"'.encode(), "é\U0001f600"),
        (b'"\xff\\u0000\xff"', BAD * 3),
    ],
)
def test_what_no_database_text_holds_is_replaced(text: bytes, clean: str) -> None:
    assert json.loads(clean_json(text)) == clean


@given(st.recursive(any_text, lambda inner: st.lists(inner) | st.dictionaries(any_text, inner), max_leaves=8))
def test_every_json_text_becomes_storable_and_keeps_the_rest(value: Any) -> None:
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False)):
        cleaned = clean_json(text.encode(errors="surrogatepass"))
        again = cleaned.decode()
        assert "\\u0000" not in again.replace("\\\\", "")
        flat = json.dumps(json.loads(cleaned), ensure_ascii=False)
        flat.encode()  # raises for a lone surrogate
        assert clean_json(cleaned) == cleaned


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_text_that_can_be_stored_is_not_touched(value: str) -> None:
    for ascii_only in (True, False):
        text = json.dumps({value: [value]}, ensure_ascii=ascii_only).encode()
        assert json.loads(clean_json(text)) == {value: [value]}
    assert clean_text(value) == value


@given(st.binary())
def test_any_bytes_become_utf8(data: bytes) -> None:
    clean_json(data).decode()


@given(any_text)
def test_a_header_becomes_storable(value: str) -> None:
    cleaned = clean_text(value)
    cleaned.encode()
    assert "\0" not in cleaned


@pytest.mark.parametrize("number", ["1e131071", "-1E+500", "1.5e-16000", "0e999"])
def test_a_number_that_grows_when_it_is_read_back_is_refused(number: str) -> None:
    with pytest.raises(Invalid, match="`data` holds a number"):
        check_numbers(f'{{"a": [{number}]}}'.encode(), "data")


@pytest.mark.parametrize("json", [b"1e308", b'{"id": "3e4567"}', b'["1e999"]', b"[1e-300]", b"12345678901234567890"])
def test_numbers_that_doubles_hold_and_texts_that_look_like_larger_ones_pass(json: bytes) -> None:
    check_numbers(json, "data")
