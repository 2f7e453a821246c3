"""NaN and infinite numbers, which some libraries write into JSON, become texts; all else stays as it is written."""

import json

import pytest

from tracker_backend.text_cleaning import clean_json


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_becomes_its_text(number: str) -> None:
    cleaned = clean_json(f'{{"a": [{number}, 1,{number}], "b":{number}}}'.encode())
    assert json.loads(cleaned) == {"a": [number, 1, number], "b": number}


def test_texts_and_numbers_stay_as_they_are() -> None:
    text = b'["NaN", "a, NaN", "\\"NaN", "[Infinity", 1e300, -1.5e-300]'
    assert clean_json(text) == text


@pytest.mark.parametrize("text", [b'{"a": NaNa}', b'["NaN', b'["\\"', b"NaN" * 3])
def test_what_is_no_json_stays_none(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        json.loads(clean_json(text))
