"""The page of the dialects names every filter of their list of sessions."""

from tests.docs.pages import ROOT, rows
from tracker_backend.queries.session_filters import SESSION_FILTERS


def test_the_page_of_the_dialects_names_each_filter_of_their_list() -> None:
    page = ROOT / "docs" / "reference" / "dialects.md"
    documented = {name for row in rows(page) for name in row[0].split(", ")}
    assert {f"`{each.dialect_name}`" for each in SESSION_FILTERS if each.dialect_name} <= documented
