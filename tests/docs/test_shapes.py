"""The comparison of answers itself: it lets pass what varies, and nothing else."""

from typing import Any

import pytest

from tests.docs.pages import MUST_RUN, blocks, pages
from tests.docs.shapes import differences, missing_lines


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ({"id": 1, "at": "2026-11-21T10:00:00Z"}, {"id": 99, "at": "2027-01-02T03:04:05.678901Z"}),
        ({"a": 1, "…": "…"}, {"a": 2, "b": 3}),
        ([{"a": 1}, "…"], [{"a": 1}, {"b": 2}]),
        ("6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11", "b851f3d1-01c4-4999-8104-464c8e7f2493"),
        ({"key": "tb_w_…"}, {"key": "tb_w_abc"}),
    ],
)
def test_an_answer_that_differs_in_ids_times_and_numbers_is_as_shown(shown: Any, found: Any) -> None:
    assert not list(differences(shown, found))


@pytest.mark.parametrize(
    ("shown", "found"),
    [
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}),
        ({"a": 1, "b": 2, "…": "…"}, {"a": 1}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": None}),
        ({"a": None}, {"a": 0}),
        ({"a": True}, {"a": False}),
        ({"a": True}, {"a": 1}),
        ({"a": 1}, {"a": True}),
        ([1], [1, 2]),
        ([1, 2, "…"], [1]),
        ("healthy", "degraded"),
        ({"a": []}, {"a": {}}),
    ],
)
def test_an_answer_that_differs_in_anything_else_is_not_as_shown(shown: Any, found: Any) -> None:
    assert list(differences(shown, found))


def test_shown_lines_are_found_among_others_in_their_order() -> None:
    assert not missing_lines("key: tb_r_abc\nproject_id: 1", "x\nkey: tb_r_-Z_9\nkind: read\nproject_id: 22\n")
    assert missing_lines("project_id: 1\nkey: tb_r_abc", "key: tb_r_abc\nproject_id: 1") == ["key: tb_r_abc"]


def test_the_documentation_has_examples_in_every_language_that_is_run() -> None:
    run = {block.language for page in pages() for block in blocks(page) if "run" in block.words}
    assert set(MUST_RUN) <= run
