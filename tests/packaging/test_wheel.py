"""The wheel, built and installed as a user gets it: it has everything that the server needs, and serves it."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.packaging.programs import ROOT, attempt, run

BUNDLED = "tracker_backend/_bundled"
DIST = ROOT / "tracker_js" / "dist"


def build(source: Path, target: str, into: Path) -> Path:
    """A package of that tree; nothing is fetched."""
    run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", into, cwd=source)
    (made,) = into.iterdir()
    return made


def files_of(folder: Path) -> set[str]:
    """Every file under a folder, by its path in there."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert (DIST / "tracker.js").exists(), "the tracker is not built: run `make build`"
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel; what it depends on is that of the locked environment."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "--no-cache", "pip", "install", "--offline", "--no-index", "--no-deps"]
    run(*uv, "--python", python, wheel)
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    locked = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "locked.pth").write_text("\n".join(locked))
    return python


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Path]:
    """A folder for the server's data, which the user that runs a root's PostgreSQL can reach."""
    with tempfile.TemporaryDirectory(prefix="tracker-test-wheel-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def environment(elsewhere: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "PYTHON"))}
    inherited.pop("DATABASE_URL", None)
    return inherited | {"TRACKER_DATA_DIR": str(elsewhere / "data"), "PORT": "0"}


@pytest.fixture(scope="module")
def announced(installed: Path, elsewhere: Path, environment: dict[str, str]) -> Iterator[dict[str, Any]]:
    """What the running server said of itself; it has to end well too."""
    with (elsewhere / "log").open("w+") as log:
        server = subprocess.Popen(
            [installed, "-m", "tracker_backend", "serve", "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=elsewhere,
            env=environment,
        )
        with server:
            assert server.stdout is not None
            try:
                line = server.stdout.readline()
                assert line, (elsewhere / "log").read_text()
                yield json.loads(line)
            finally:
                server.terminate()
        assert server.returncode == 0, (elsewhere / "log").read_text()


@pytest.fixture(scope="module")
def site(announced: dict[str, Any]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=announced["url"], timeout=30) as client:
        yield client


def test_the_wheel_has_the_schema_and_the_built_tracker(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert len(names) == len(set(names))
    schema = {name.removeprefix(f"{BUNDLED}/schema/") for name in names if name.startswith(f"{BUNDLED}/schema/")}
    tracker = {
        name.removeprefix(f"{BUNDLED}/tracker_js/") for name in names if name.startswith(f"{BUNDLED}/tracker_js")
    }
    assert schema == files_of(ROOT / "schema")
    assert tracker == files_of(DIST)
    assert {"tracker.js", "demo/index.html", "docs/swagger-ui-bundle.js"} <= tracker


def test_the_wheel_has_the_queries_and_the_licence_but_neither_tests_nor_caches(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    source = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("*.sql")}
    assert source
    assert source <= set(names)
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"tracker_backend"}
    assert [name for name in names if "__pycache__" in name or name.endswith(".pyc")] == []


def test_a_wheel_made_from_the_source_package_is_the_same(wheel: Path, tmp_path: Path) -> None:
    source = build(ROOT, "sdist", tmp_path / "sdist")
    (tmp_path / "unpacked").mkdir()
    run("tar", "-xzf", source, "-C", tmp_path / "unpacked")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    again = build(unpacked, "wheel", tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as first, zipfile.ZipFile(again) as second:
        assert {it.filename: it.CRC for it in second.infolist()} == {it.filename: it.CRC for it in first.infolist()}


@pytest.mark.parametrize("built", [[], ["demo/index.html"]], ids=["at all", "completely"])
def test_no_package_is_made_before_the_tracker_is_built(built: list[str], tmp_path: Path) -> None:
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("schema", "scripts", "src"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in built:
        path = tmp_path / "tracker_js" / "dist" / name
        path.parent.mkdir(parents=True)
        path.touch()
    for target in ("wheel", "sdist"):
        done = attempt(sys.executable, "-m", "hatchling", "build", "--target", target, cwd=tmp_path)
        assert done.returncode != 0
        assert "lacks tracker.js" in done.stderr
        assert "run `make build`" in done.stderr
    assert not (tmp_path / "dist").exists() or not any((tmp_path / "dist").iterdir())


def test_the_command_of_the_wheel_is_the_wheels_own(installed: Path, elsewhere: Path) -> None:
    where = run(installed, "-c", "import tracker_backend; print(tracker_backend.__file__)", cwd=elsewhere)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    assert run(installed.parent / "tracker-backend", "--version", cwd=elsewhere).startswith("tracker-backend ")


def test_an_installed_wheel_serves_the_tracker_and_its_parts(site: httpx.Client) -> None:
    assert site.get("/tracker.js").content == (DIST / "tracker.js").read_bytes()
    for part in DIST.glob("*-*.js"):
        assert site.get(f"/tracker/{part.name}").content == part.read_bytes()


def test_an_installed_wheel_serves_the_demo_with_its_write_key(site: httpx.Client, announced: dict[str, Any]) -> None:
    page = site.get("/demo/").raise_for_status().text
    assert announced["write_key"] in page
    assert "{{write_key}}" not in page


def test_an_installed_wheel_serves_the_docs_without_any_other_host(site: httpx.Client) -> None:
    page = site.get("/docs").raise_for_status().text
    linked = [link for link in re.findall(r"""(?:src|href)=["']([^"']+)""", page) if not link.startswith("data:")]
    assert len(linked) >= 3
    for link in linked:
        assert link.startswith("/")
        assert site.get(link).raise_for_status().content
    assert site.get("/docs/openapi.json").raise_for_status().json()["openapi"].startswith("3.1")


def test_an_installed_wheel_migrates_its_database(
    site: httpx.Client, installed: Path, elsewhere: Path, environment: dict[str, str]
) -> None:
    assert site.get("/health").raise_for_status().json()["database"] == "connected"
    command = [installed, "-m", "tracker_backend", "migrate", "--json"]
    assert json.loads(run(*command, cwd=elsewhere, env=environment))["status"] == "up to date"
