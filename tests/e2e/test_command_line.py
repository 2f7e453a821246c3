"""What a command loads: each waits for its own modules only."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tracker_backend import cli

pytestmark = pytest.mark.tiers("plain")

NOT_LOADED = {
    *("litestar", "uvicorn", "httptools", "h11", "redis", "websockets", "click", "yaml"),  # to serve
    *("PIL", "re2", "brotli", "ua_parser", "crawleruseragents", "zstandard", "pyzstd"),  # to store
    *("prometheus_client", "tqdm", "argon2", "itsdangerous"),
    *(
        f"tracker_backend.{name}"
        for name in (
            *("app", "serve", "dialects", "http", "maintenance", "importing", "privacy", "archive", "live", "queries"),
            *("ingest", "recordings", "masking", "metrics"),
        )
    ),
}
PROGRAM = """
import json, sys
from tracker_backend.cli import main
main(json.loads(sys.argv[1]))
print(json.dumps(sorted(sys.modules)))
"""


def loaded(dsn: str, folder: Path, *arguments: str) -> set[str]:
    """The modules that a command has loaded at its end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "DATABASE_"))}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(arguments)],
        env={**clean, "DATABASE_URL": dsn, "TRACKER_DATA_DIR": str(folder)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [("project", "list"), ("project", "show"), ("key", "list"), ("dsn",)])
def test_a_small_command_loads_no_server(dsn: str, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert loaded(dsn, tmp_path, *arguments) & NOT_LOADED == set()


def test_each_command_has_its_help_without_the_others() -> None:
    """The parser of one command is that of all commands, for this command."""
    whole = cli.build_parser()
    for each in cli.COMMANDS:
        for parser in (whole, cli.build_parser(each.name)):
            with pytest.raises(SystemExit) as ended:
                parser.parse_args([each.name, "--help"])
            assert ended.value.code == 0
        assert cli.build_parser(each.name).format_help() == whole.format_help()
