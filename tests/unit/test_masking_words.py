"""The server and the tag mask the same: both test `masking_cases.json`, the tag in `tracker_js/test/mask.test.ts`."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker_backend.accounts.project_settings import Masking
from tracker_backend.masking import values, words
from tracker_backend.masking.html_fields import is_secret_input
from tracker_backend.masking.patterns import is_secret_value
from tracker_backend.masking.prefilter import Prefilter
from tracker_backend.masking.rules import rules_of

CASES: dict[str, list[Any]] = json.loads((Path(__file__).parent / "masking_cases.json").read_text("utf-8"))
RULES = rules_of(Masking())


@pytest.mark.parametrize(("text", "masked"), [*CASES["texts"], *CASES["urls"]])
def test_texts_and_urls_are_masked_as_in_the_tag(text: str, masked: str) -> None:
    assert RULES.text(text) == masked


@pytest.mark.parametrize(("attributes", "is_secret"), CASES["fields"])
def test_fields_are_secret_as_in_the_tag(attributes: dict[str, str], is_secret: bool) -> None:
    assert is_secret_input(RULES, attributes) is is_secret


@pytest.mark.parametrize(("value", "is_secret"), CASES["values"])
def test_values_are_secret_as_in_the_tag(value: str, is_secret: bool) -> None:
    assert is_secret_value(value) is is_secret


def test_the_tag_has_the_rows_of_the_tables() -> None:
    tag = (Path(__file__).parents[2] / "tracker_js" / "src" / "mask.ts").read_text("utf-8")
    own = words.alternatives(words.PARAMETER, words.FIELD)
    for pattern in (
        f"/{words.alternatives(words.FIELD)}/;",
        f"/(?:^| )(?:{own}){words.AGAIN}$/;",
        f"(?:{words.BEFORE_SECRETS})",
        f"/^(?:{values.ISSUERS})$/;",
        f"/{values.IBAN}/g,",
        f"/{values.JWT}/g,",
        f"/{values.KEY}/g,",
        f"/{values.PEM}",
        f"({'|'.join(sorted(values.FILES))})",
    ):
        assert pattern in tag


@settings(deadline=None)
@given(st.data())
@pytest.mark.parametrize("word", words.NAMES)
def test_every_match_of_a_word_contains_its_literal(word: words.Word, data: st.DataObject) -> None:
    """The prefilter would miss a secret whose name does not."""
    pattern = re.compile(word.pattern)
    found = pattern.search(data.draw(st.from_regex(pattern)))
    assert found is not None
    assert word.literal in found[0]
    assert Prefilter().matches(f'"{found[0]}"'.encode())
