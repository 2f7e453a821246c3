"""The tables of the reference pages are those that the code gives now."""

from pathlib import Path

import pytest

from scripts.reference.pages import PAGES, missing, render
from tests.docs.pages import name_of


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_generated_tables_of_a_page_are_up_to_date(page: Path) -> None:
    text = page.read_text("utf-8")
    assert render(text) == text, f"{name_of(page)} is out of date: run `make reference` and commit the page."


def test_everything_that_a_reference_page_must_list_has_a_place() -> None:
    absent = missing()
    assert not absent, f"add `<!-- generated: {absent[0]} -->` and `<!-- end -->` to a page, then run `make reference`."
