"""The locks: complete, with hashes, and good for any registry that a machine is set to."""

import json
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.packaging.programs import ROOT, run

LOCK = (ROOT / "requirements.lock").read_text("utf-8")
LOCKS = sorted(path for path in ROOT.glob("*/package-lock.json"))
PINS = {match[1]: match[2] for match in re.finditer(r"^([a-z0-9._-]+)==([^ ]+)", LOCK, re.MULTILINE)}


def wanted() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [
        *project["build-system"]["requires"],
        *project["project"]["dependencies"],
        *project["dependency-groups"]["dev"],
    ]


@pytest.mark.parametrize("requirement", wanted())
def test_the_lock_has_what_pyproject_asks_for(requirement: str) -> None:
    asked = Requirement(requirement)
    assert asked.specifier.contains(PINS[canonicalize_name(asked.name)], prereleases=True)


def test_every_locked_package_has_a_hash() -> None:
    blocks = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)[1:]
    assert len(blocks) == len(PINS)
    assert [block for block in blocks if "--hash=sha256:" not in block] == []


def test_the_python_lock_names_no_registry_and_no_folder() -> None:
    assert re.findall(r"\w+://\S+|(?<!\w)/\S+", LOCK) == []


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.parent.name)
def test_a_lock_of_node_has_hashes_and_names_no_registry(path: Path) -> None:
    packages = json.loads(path.read_text("utf-8"))["packages"]
    assert [name for name, it in packages.items() if "resolved" in it] == []
    assert [name for name, it in packages.items() if name and "integrity" not in it] == []


def test_what_is_installed_fits_together() -> None:
    run(sys.executable, "-m", "uv", "--no-cache", "--offline", "pip", "check", "--python", sys.executable)
