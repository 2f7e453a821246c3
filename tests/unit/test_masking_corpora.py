"""What must be masked and what must not: the tag's tests read the same files (`tracker_js/test/mask.test.ts`)."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.masking.make_kept import kept
from tracker_backend.accounts.project_settings import Masking
from tracker_backend.masking import words
from tracker_backend.masking.names import FIELD_PATTERN, is_field, is_secret_member, is_secret_parameter, plain
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.prefilter import Prefilter
from tracker_backend.masking.rules import rules_of
from tracker_backend.masking.values import VALUES, Value

FOLDER = Path(__file__).parents[1] / "masking"
MASKED: dict[str, Any] = json.loads((FOLDER / "masked.json").read_text("utf-8"))
KEPT: list[str] = json.loads((FOLDER / "kept.json").read_text("utf-8"))
RULES = rules_of(Masking())


@pytest.mark.parametrize("name", MASKED["parameters"])
def test_the_value_of_a_parameter_with_a_secret_name_is_masked(name: str) -> None:
    assert RULES.text(f"/a?{name}=canary&page=2") == f"/a?{name}={MASK}&page=2"
    assert RULES.text(f"a=1&{name}=canary") == f"a=1&{name}={MASK}"


@pytest.mark.parametrize("name", MASKED["members"])
@pytest.mark.parametrize("size", [0, 5000])
def test_the_value_of_a_member_with_a_secret_name_is_masked(name: str, size: int) -> None:
    for value in ("canary", ["canary"], {"a": "canary"}):
        text = msgspec.json.encode({"rest": "x" * size, "a": [{name: value, "page": 2}]})
        assert b"canary" not in RULES.json(text)
    named = msgspec.json.encode({"rest": "x" * size, "name": name, "value": "canary"})
    assert b"canary" not in RULES.json(named)


@pytest.mark.parametrize("name", MASKED["headers"])
def test_headers_in_lists_are_masked(name: str) -> None:
    for headers in ([[name, "canary"]], ["Host", "a", name, "canary"], ["Host", "a", name.lower(), "canary"]):
        assert b"canary" not in RULES.json(msgspec.json.encode(headers))


@pytest.mark.parametrize("case", MASKED["texts"], ids=lambda case: case[0])
def test_a_secret_in_a_text_is_masked(case: list[Any]) -> None:
    text, masked = case[:2]
    assert RULES.text(text) == masked
    assert RULES.text(masked) == masked
    long = msgspec.json.encode({"rest": "x" * 5000, "a": text})
    assert msgspec.json.decode(RULES.json(long))["a"] == masked


@pytest.mark.parametrize("text", MASKED["json"])
@pytest.mark.parametrize("size", [0, 5000])
def test_a_secret_in_json_is_masked(text: str, size: int) -> None:
    assert "canary" in text
    assert b"canary" not in RULES.json(f'{{"rest":"{"x" * size}","a":{text}}}'.encode())


@pytest.mark.parametrize("text", KEPT)
def test_what_is_no_secret_stays(text: str) -> None:
    assert RULES.text(text) == text
    event = msgspec.json.encode({"a": text, "b": [text]})
    assert RULES.json(event) is event


def test_the_file_of_what_stays_is_made_by_its_module() -> None:
    assert kept() == KEPT


@pytest.mark.parametrize("word", words.NAMES)
def test_each_name_of_the_table_finds_its_example_and_not_the_other(word: words.Word) -> None:
    alone = f"(?:^| )(?:{word.pattern}){words.AGAIN}$"
    for where in word.where:
        if where == words.FIELD:
            assert is_field(word.masked, FIELD_PATTERN)
        elif where == words.PARAMETER:
            assert is_secret_parameter(word.masked)
        elif where == words.MEMBER:
            assert is_secret_member(word.masked)
        else:
            assert RULES.text(f"{word.masked}: a=canary") != f"{word.masked}: a=canary"
    assert Prefilter().matches(json.dumps({word.masked: "x=1", f"{word.masked}: ": ""}, ensure_ascii=False).encode())
    assert word.reason
    assert plain(word.kept)
    last = word.where[-1]
    if last == words.MEMBER:
        assert not is_secret_member(word.kept), alone
    if word.where == words.PARAMETER:
        assert not is_secret_parameter(word.kept), alone
    if last == words.LABEL:
        assert RULES.text(f"{word.kept}: a=canary") == f"{word.kept}: a=canary"
    if last == words.FIELD:
        assert not is_field(word.kept, FIELD_PATTERN)


@pytest.mark.parametrize("row", VALUES, ids=lambda row: row.name)
def test_each_value_of_the_table_finds_its_example_and_not_the_other(row: Value) -> None:
    assert row.reason
    assert RULES.text(row.masked) == MASK
    assert RULES.text(row.kept) == row.kept
