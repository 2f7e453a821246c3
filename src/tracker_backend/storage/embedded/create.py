"""Creation of a new database in a temporary folder, which is renamed when it is complete."""

import os
import secrets
import shutil
from pathlib import Path

from .account import Account, change_owner, run
from .choice import sync_folder, write_file
from .errors import CreateFailedError
from .installation import Installation

INCLUDE = "\n# The server's own settings, which win over those above.\ninclude '../tracker.conf'\n"

# tracker owns its database, sees settings and statistics, and is no superuser, as with a hosted PostgreSQL.
# The superuser `postgres`, for repairs, has the same password. A blank line ends a statement (`postgres -j`).
BOOTSTRAP = """\
CREATE ROLE tracker LOGIN CREATEDB CREATEROLE PASSWORD '{password}';

GRANT pg_monitor TO tracker;

CREATE DATABASE tracker OWNER tracker;

"""


def create(folder: Path, bin_dir: Path, installation: Installation, account: Account | None, *, durable: bool) -> None:
    """Create `folder` with data/ (PGDATA), log/, socket/ and the file `password`. Raises CreateFailedError.

    A killed run leaves a folder `.new-…`, which the next run removes. `durable=False` skips the flush to disk (tests).

    Logins need the password (SCRAM): the server may run as another user than PostgreSQL, so `peer` cannot identify it,
    and with `trust` one folder with wrong modes would give access to everybody.
    """
    discard_unfinished(folder)
    new = folder.with_name(f"{folder.name}.new-{secrets.token_hex(4)}")
    new.mkdir()
    new.chmod(
        0o711 if account else 0o700
    )  # if root created it, PostgreSQL can enter it, but write only to its own folders
    for name in ("data", "log", "socket"):
        (new / name).mkdir(mode=0o700)
        change_owner(new / name, account)
    password = secrets.token_urlsafe(32)
    write_file(new / "password", password.encode(), mode=0o600)
    change_owner(new / "password", account)
    _initdb(new, bin_dir, installation, account, durable=durable)
    # Single-user mode needs no client, no socket and no login. The password is passed on standard input.
    flags = ["-c", "exit_on_error=on", "-c", "log_min_error_statement=panic", "-c", f"fsync={durable}"]
    single = [bin_dir / "postgres", "--single", "-j", *flags, "postgres"]
    _run_or_raise(new, single, account, BOOTSTRAP.format(password=password))
    with (new / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(INCLUDE)
        file.flush()
        os.fsync(file.fileno())
    if account and folder.parent.stat().st_uid == account.uid:
        change_owner(new, account)  # so that this user can also run the server without root
    new.rename(folder)
    sync_folder(folder.parent)


def discard_unfinished(folder: Path) -> None:
    """Remove what killed runs left while they created `folder`."""
    for left_over in folder.parent.glob(f"{folder.name}.new-*"):
        shutil.rmtree(left_over, ignore_errors=True)


def _initdb(new: Path, bin_dir: Path, installation: Installation, account: Account | None, *, durable: bool) -> None:
    # C.UTF-8 sorts by code point on every machine. From version 17 on PostgreSQL provides it, so that an upgrade of the
    # C library cannot break indexes. Before, the C library provides it, and macOS has none.
    if installation.major >= 17:
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    else:
        ctype = "C.UTF-8" if os.uname().sysname == "Linux" else "C"
        locale = ["--locale=C", "--locale-provider=libc", f"--lc-ctype={ctype}"]
    command = [
        bin_dir / "initdb",
        "--username=postgres",
        f"--pwfile={new / 'password'}",
        "--auth-local=scram-sha-256",
        "--auth-host=reject",
        "--encoding=UTF8",
        "--data-checksums",
        "--no-instructions",
        *locale,
        *([] if durable else ["--no-sync"]),
    ]
    _run_or_raise(new, command, account)


def _run_or_raise(new: Path, command: list[str | Path], account: Account | None, stdin: str = "") -> None:
    done = run(command, account, stdin=stdin, pgdata=new / "data")
    if done.returncode != 0:
        output = (done.stdout + done.stderr).strip()[-4000:]
        raise CreateFailedError(folder=new, command=Path(command[0]).name, code=done.returncode, output=output)
