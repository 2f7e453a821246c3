"""The pictures that pages show are in the repository and small."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import name_of, pages, prose

_MOST_BYTES = 150_000
_PICTURE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<target>[^)\s]+)\)")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_each_picture_of_a_page_exists_is_small_and_has_a_text(page: Path) -> None:
    for picture in _PICTURE.finditer(prose(page)):
        assert picture["text"], picture["target"]
        assert (page.parent / picture["target"]).stat().st_size <= _MOST_BYTES, picture["target"]
