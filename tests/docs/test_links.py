"""Links lead somewhere, and the map of the code shows every folder."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, links, name_of, pages, prose

_PACKAGE = ROOT / "src" / "tracker_backend"
_OUTSIDE = ("http://", "https://", "mailto:")


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_relative_link_of_a_page_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken: list[str] = []
    for link in links(page):
        if link.startswith(_OUTSIDE):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_of_the_documentation_is_reached_from_its_index() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    missing = {name_of(page) for page in ROOT.glob("docs/**/*.md") if page != index and page not in linked}
    assert not missing


def test_the_map_of_the_code_names_every_folder() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    folders = {path.parent for path in _PACKAGE.rglob("*") if path.suffix in (".py", ".sql")}
    dialects = set((_PACKAGE / "dialects").iterdir())  # one row of the map stands for all
    for folder in sorted(folders - dialects - {_PACKAGE}):
        assert f"`{folder.relative_to(_PACKAGE).as_posix()}/`" in text, folder.name


def test_the_map_of_the_code_names_every_folder_beside_the_package() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for folder in (
        "schema/core",
        "schema/plain",
        "schema/timescale",
        "tracker_js",
        "tests",
        "bench",
        "docs",
        "scripts",
    ):
        assert (ROOT / folder).is_dir(), folder
        assert f"`{folder}/`" in text, folder


def test_the_map_of_the_code_names_every_folder_of_tests() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for folder in (ROOT / "tests").iterdir():
        if any(folder.glob("test_*.py")):
            assert f"`tests/{folder.name}/`" in text, folder.name


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_file_that_a_page_names_by_its_path_is_there(page: Path) -> None:
    named = re.findall(r"`((?:src|schema|tests|bench|scripts|docs|tracker_js)/[\w./-]+\.\w+)`", prose(page))
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE))
    assert not named - targets
