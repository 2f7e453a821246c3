"""Which strings of a JSON text hold secrets, told without decoding the whole of it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker_backend.accounts.project_settings import Masking
from tracker_backend.masking.json_strings import secret_strings
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.rules import rules_of

MAIL = "mary.jones+shop@example.com"
PIECES = st.one_of(
    st.sampled_from(
        [MAIL, "4111 1111 1111 1111", "4111\u20091111\u20091111\u20091111", "4111\u00a01111\u00a01111\u00a01111"]
    ),
    st.sampled_from(
        [r"john\u0040example.com", "john%40example.com", "http://john:doe@", "<input value=", "Bearer abcdefg"]
    ),
    st.sampled_from(
        ["password", "card number", "ccNumber", "CVC", "access_token", "authorization", "apikey", "sid", "cc"]
    ),
    st.sampled_from(
        ["sk_live_4eC39HqLyjWDarjt", "DE89370400440532013000", "Basic bWFyeTpodW50ZXIy", "eyJhbGciOi.eyJzdWIi"]
    ),
    st.sampled_from(
        [
            "/reset/5f1c0a7e9b3d4c2f",
            "-----BEGIN PRIVATE KEY-----",
            "--password x",
            "pw",
            "Kennwort",
            "\uff50\uff41\uff53\uff53",
        ]
    ),
    st.sampled_from(["4111.1111.1111.1111", "\uff14" + "\uff11" * 15, "1.4111111111111111"]),
    st.sampled_from(["?", "&", "=", ":", "\\", '"', "'", " ", "\t", "\u00a0", "/", "%3D", "x1", "lamp ", "é"]),
)
TEXTS = st.one_of(st.text(max_size=20), st.lists(PIECES, max_size=5).map("".join))
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just(4111111111111111))


def found(text: bytes, parameters: tuple[str, ...] = ()) -> set[str]:
    """The secret strings of a text, decoded."""
    return {json.loads(string) for string in secret_strings(rules_of(Masking(parameters=parameters)), text)}


@settings(deadline=None, max_examples=500)
@given(st.lists(st.one_of(TEXTS, NUMBERS), max_size=6), st.booleans())
def test_just_those_that_masking_would_change_are_found_however_they_are_written(
    values: list[str | float], plain: bool
) -> None:
    rules = rules_of(Masking())
    written = json.dumps(values, ensure_ascii=plain).encode(errors="replace")
    texts = {text for text in json.loads(written) if isinstance(text, str)}
    assert found(written) == {text for text in texts if rules.text(text) != text}


@settings(deadline=None, max_examples=500)
@given(st.dictionaries(TEXTS, st.one_of(TEXTS, NUMBERS), max_size=4), st.booleans())
def test_an_object_that_is_looked_at_for_hints_is_masked_as_one_that_is_decoded(
    members: dict[str, str | float], plain: bool
) -> None:
    rules = rules_of(Masking())
    short = json.dumps(members, ensure_ascii=plain).encode(errors="replace")
    long = json.dumps([members, "x" * 3000], ensure_ascii=plain).encode(errors="replace")
    assert json.loads(rules.json(long))[0] == json.loads(rules.json(short))


def test_the_escapes_of_one_string_do_not_end_it() -> None:
    assert found(rb'{"a\\":"b\"?sid=1","d":["\\\"","?sid=2\\"],"?sid=3\\\"":"password\\"}') == {
        'b"?sid=1',
        "?sid=2\\",
        '?sid=3\\"',
    }


@pytest.mark.parametrize(
    "digits", ["4111111111111111", "4111 1111 1111 1111", "41111111 11111111", "4111111111111111 x"]
)
@pytest.mark.parametrize("before", ["", "12 ", "Nr.", "+", "."])
def test_a_card_is_found_behind_a_point_too(before: str, digits: str) -> None:
    assert found(json.dumps([before + digits]).encode()) == {before + digits}


def test_where_a_finger_was_is_no_card() -> None:
    prefilter = rules_of(Masking()).prefilter
    assert prefilter.match_end(b'{"x":183.3333282470703,"y":-4.111111111111111e-7,"z":[0.4111111111111111]}', 0) == -1


def test_digits_of_numbers_are_no_strings() -> None:
    assert found(b'{"y":[4111111111111111],"z":"?sid=1"}') == {"?sid=1"}


@pytest.mark.parametrize("text", ["cc-number: 1234", "ccnumber=1234", r"\u0070assword: hunter2", "/a?cc=1234"])
def test_each_word_that_masking_knows_is_looked_for(text: str) -> None:
    assert len(found(f'["{text}"]'.encode())) == 1


@pytest.mark.parametrize(
    "text",
    ["\u0131ban: TR33", "Author\u0131zation: abc", "pa\u017f\u017fword: abc", "api\u212aey: abc", "?to\u212aen=abc"],
)
def test_what_looks_like_a_letter_to_masking_does_so_here(text: str) -> None:
    written = json.dumps([text, "x" * 3000], ensure_ascii=False).encode()
    assert found(written) == {text}
    assert MASK in json.loads(rules_of(Masking()).json(written))[0]


def test_words_of_a_project_are_found_in_any_case_in_names_of_members_too() -> None:
    rules = rules_of(Masking(fields=("пароль",)))
    for name in ("пароль", "Пароль", "ПАРОЛЬ"):
        text = json.dumps({name: "hunter2", "x": "y" * 3000}, ensure_ascii=False).encode()
        assert json.loads(rules.json(text))[name] == MASK


def test_a_project_may_have_as_many_words_as_the_settings_take() -> None:
    words = [chr(0x430 + index % 32) * 190 + f"ключ{index}" for index in range(200)]
    rules = rules_of(Masking(fields=tuple(words[:100]), parameters=tuple(words[100:])))
    text = json.dumps([f"/a?{words[150]}=1", "?b=2"], ensure_ascii=False).encode()
    assert list(secret_strings(rules, text)) == [f'"/a?{words[150]}=1"'.encode()]
    assert not rules.prefilter.matches(b'"nothing"')


def test_a_text_full_of_hints_is_not_looked_at_string_by_string() -> None:
    for text in (b'["@"' + b',"@"' * 3000 + b"]", b"[4111111111111111" + b",4111111111111111" * 3000 + b"]"):
        assert list(secret_strings(rules_of(Masking()), text)) == [b""]


@pytest.mark.parametrize("written", ["größe", "GRÖSSE", "Groesse"])
def test_parameters_of_a_project_are_found_in_capital_letters_and_in_other_alphabets(written: str) -> None:
    assert found(f'["/a?{written}=1"]'.encode(), parameters=("größe", "grösse", "groesse")) == {f"/a?{written}=1"}


def test_a_long_string_with_a_hint_of_a_secret_is_left_to_be_looked_through() -> None:
    text = "no secret but an @ " + "x" * 2000
    assert found(f'["{text}","an @"]'.encode()) == {text}
