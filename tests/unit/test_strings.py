"""Which strings of a JSON text hold secrets, told without decoding the whole of it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker_backend.ingest.policy import Masking
from tracker_backend.ingest.rules import rules_of
from tracker_backend.ingest.strings import secret_strings, strings_in

MAIL = "mary.jones+shop@example.com"
PIECES = st.sampled_from(
    [
        "lamp ",
        MAIL,
        "4111 1111 1111 1111",
        "4111\u20091111\u20091111\u20091111",
        "4111\u00a01111\u00a01111\u00a01111",
        r"john\u0040example.com",
        "?token=abc",
        "password: x",
        "\\",
        '"',
        "é",
    ]
)
TEXTS = st.one_of(st.text(max_size=20), st.lists(PIECES, max_size=4).map("".join))


def found(text: bytes, parameters: tuple[str, ...] = ()) -> set[str]:
    """The secret strings of a text, decoded."""
    return {json.loads(string) for string in secret_strings(rules_of(Masking(parameters=parameters)), strings_in(text))}


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=5), st.booleans())
def test_just_those_that_masking_would_change_are_found_however_they_are_written(texts: list[str], plain: bool) -> None:
    rules = rules_of(Masking())
    written = json.dumps(texts, ensure_ascii=plain).encode(errors="replace")
    expected = {text for text in json.loads(written) if rules.text(text) != text}
    assert found(written) == expected


def test_the_escapes_of_one_string_do_not_end_it() -> None:
    assert strings_in(rb'{"a\\":"b\"c","d":["\\\"","e"]}') == {"a\x01", "b\x02c", "d", "\x01\x02", "e"}


@pytest.mark.parametrize("text", ["cc-number: 1234", "ccnumber=1234", r"\u0070assword: hunter2", "/a?cc=1234"])
def test_each_word_that_masking_knows_is_looked_for(text: str) -> None:
    assert len(found(f'["{text}"]'.encode())) == 1


@pytest.mark.parametrize("written", ["größe", "GRÖSSE", "Groesse"])
def test_parameters_of_a_project_are_found_in_capital_letters_and_in_other_alphabets(written: str) -> None:
    assert found(f'["/a?{written}=1"]'.encode(), parameters=("größe", "grösse", "groesse")) == {f"/a?{written}=1"}


def test_a_long_string_with_a_word_of_a_secret_is_left_to_be_looked_through() -> None:
    text = "no secret but a token " + "x" * 2000
    assert found(f'["{text}","a token"]'.encode()) == {text}
