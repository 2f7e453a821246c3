"""The tables of the lists' parameters hold every filter."""

from tests.docs.pages import ROOT, rows
from tracker_backend.queries.session_filters import SESSION_FILTERS

REFERENCE = ROOT / "docs" / "reference"


def test_the_page_of_the_api_describes_each_filter_of_the_list_of_sessions() -> None:
    documented = {tuple(row) for row in rows(REFERENCE / "api.md")}
    wanted = [(f"`{each.name}`", each.description) for each in SESSION_FILTERS if each.in_v1]
    missing = [row for row in wanted if row not in documented]
    assert not missing, "\n".join(f"| {name} | {description} |" for name, description in missing)


def test_the_page_of_the_dialects_names_each_filter_of_their_list() -> None:
    documented = {name for row in rows(REFERENCE / "dialects.md") for name in row[0].split(", ")}
    assert {f"`{each.dialect_name}`" for each in SESSION_FILTERS if each.dialect_name} <= documented
