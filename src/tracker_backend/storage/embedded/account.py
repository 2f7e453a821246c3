"""The operating-system user that runs PostgreSQL (it refuses root), and commands that run as that user."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from .errors import EmbeddedError

# Unprivileged users, by preference; none is ever created. _postgres is that of macOS.
_UNPRIVILEGED = ("postgres", "_postgres", "nobody", "daemon")


class Account(msgspec.Struct, frozen=True):
    """An operating-system user that a process of root runs commands as."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def choose_account(*owned: Path) -> Account | None:
    """Return the user that runs PostgreSQL; None for the own user of this process, if that is not root.

    For root it is the owner of the first of `owned` that exists and does not belong to root, else an unprivileged user.
    Raises EmbeddedError if there is none.
    """
    if os.geteuid() != 0:
        return None
    for path in owned:
        try:
            uid = path.stat().st_uid
            if uid != 0:
                return _account(pwd.getpwuid(uid))
        except (FileNotFoundError, KeyError):
            continue  # initdb refuses a user without a name
    for name in _UNPRIVILEGED:
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise EmbeddedError(
        what="PostgreSQL refuses to run as root, and this machine has none of the users "
        f"{', '.join(_UNPRIVILEGED)}. Run the server as another user, or set DATABASE_URL."
    )


def run(
    command: Sequence[str | Path],
    account: Account | None,
    *,
    cwd: Path = Path("/"),
    stdin: str = "",
    pgdata: Path | None = None,
    timeout: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run a command as `account` and wait. It has a session of its own, so that Ctrl-C in a terminal does not end it.

    `stdin` is its standard input, `timeout` is in seconds. Raises only if the command could not be started or timed
    out.
    """
    # Few variables are passed on: no secrets of ours, no PG* that redirects the tools, and no NOTIFY_SOCKET, by which
    # a PostgreSQL built for systemd would report that this service is ready. LC_ALL sets the language of messages.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = kept | {"LC_ALL": "C", "TZ": "UTC"} | ({"PGDATA": str(pgdata)} if pgdata else {})
    return subprocess.run(  # noqa: S603  its callers name programs of the installation, and /bin/sh
        command,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        input=stdin,
        cwd=cwd,
        env=environment,
        timeout=timeout,
        start_new_session=True,
        umask=0o077,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=account.groups if account else None,
    )


def change_owner(path: Path, account: Account | None) -> None:
    """Make `account` the owner of a file or folder that this process has just created."""
    if account:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def can_enter(folder: Path, account: Account | None) -> bool:
    """Return whether the user can enter a folder. The system decides, because modes, ACLs and mounts all matter."""
    return run(["/bin/sh", "-c", 'cd "$0"', folder], account).returncode == 0


def _account(entry: pwd.struct_passwd) -> Account:
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups)
