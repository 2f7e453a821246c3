"""Which operating-system user runs PostgreSQL (it refuses root), and commands run as that user."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from .errors import EmbeddedError

# Users that exist for this or for nothing; none is ever created. _postgres is macOS's.
_UNPRIVILEGED = ("postgres", "_postgres", "nobody", "daemon")


class Account(msgspec.Struct, frozen=True):
    """An operating-system user, for a process of root that must act as somebody else."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]


def choose_account(*owned: Path) -> Account | None:
    """Returns who runs PostgreSQL: None is "this process's own user", which is any but root.

    For root it is the owner of the first of `owned` that exists and is not root's, else a user made for it.
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
    given: str = "",
    pgdata: Path | None = None,
    timeout: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Runs a command as `account` in a session of its own (a terminal's Ctrl-C is not for it), and waits.

    `given` is its standard input, `timeout` in seconds. Raises only if it could not be run at all.
    """
    # Few variables go on: no secrets of ours, no PG* that redirects the tools, and no NOTIFY_SOCKET, over
    # which a PostgreSQL built for systemd would tell systemd that we are ready. LC_ALL fixes the language
    # of messages.
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    environment = kept | {"LC_ALL": "C", "TZ": "UTC"} | ({"PGDATA": str(pgdata)} if pgdata else {})
    return subprocess.run(  # noqa: S603  its callers name programs of the installation, and /bin/sh
        command,
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
        input=given,
        cwd=cwd,
        env=environment,
        timeout=timeout,
        start_new_session=True,
        umask=0o077,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=account.groups if account else None,
    )


def give(path: Path, account: Account | None) -> None:
    """Makes `account` the owner of a file or folder that this process has just made."""
    if account:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def can_enter(folder: Path, account: Account | None) -> bool:
    """Whether the user gets into a folder: asked of the system, as modes, ACLs and mounts all decide."""
    return run(["/bin/sh", "-c", 'cd "$0"', folder], account).returncode == 0


def _account(entry: pwd.struct_passwd) -> Account:
    groups = tuple(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, groups)
