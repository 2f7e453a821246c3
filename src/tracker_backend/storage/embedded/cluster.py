"""The PostgreSQL of one data folder: create it, start or adopt it, stop it."""

import contextlib
import logging
import os
import subprocess
from collections.abc import Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from . import choice as choices
from . import postmaster
from .account import Account, change_owner, choose_account, run
from .attach import dsn_of
from .choice import Choice
from .config import render
from .create import create, discard_unfinished
from .errors import (
    DataMissingError,
    EmbeddedError,
    FolderAccessError,
    FolderInUseError,
    StartFailedError,
    StillStartingError,
    StopFailedError,
)
from .installation import Installation
from .lock import FolderLock
from .logs import bound_logs, log_tail
from .placement import database_folder, remove_socket, socket_folder
from .postmaster import Postmaster

START_SECONDS = 180  # recovery after a crash: up to max_wal_size of WAL
STOP_SECONDS = 60

_log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """The PostgreSQL of one data folder, for the process that owns it; its workers get the `dsn` from it.

    `start()` sets `dsn` (with a password: keep it out of logs), `description` (one line for the operator),
    `installation`, `tier` ("timescale" or "plain") and `folder`, where the database is. Every failure is an
    EmbeddedError with a text for the operator.
    """

    dsn: str
    description: str
    installation: Installation
    tier: str
    folder: Path

    def __init__(self, data_dir: Path, pg_bin: Path | None = None, *, options: Mapping[str, str] = {}) -> None:
        """`pg_bin` is TRACKER_PG_BIN; `options` are further settings of postgresql.conf."""
        self.data_dir = data_dir.expanduser().resolve()
        self._pg_bin = pg_bin
        self._options = dict(options)
        self._locks: list[FolderLock] = []
        self._owner = 0
        self._account: Account | None = None
        self._bin_dir = Path()
        self._socket: Path | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Lock the folder, start its server or adopt the running one, and return the DSN.

        Blocks until the server accepts connections: 2 s for a new folder, longer for recovery after a crash. Call it
        again to restart a server that has died.
        """
        try:
            with _wrapped_system_errors(self.data_dir):
                self._start()
        except StillStartingError:
            self._release()  # the recovery continues; the next start waits for it
            raise
        except BaseException:
            with contextlib.suppress(EmbeddedError):
                self.stop()
            raise
        return self.dsn

    def stop(self) -> None:
        """Stop the server (open transactions are rolled back) and unlock the folder. Idempotent.

        Does nothing in a fork of the owner.
        """
        if not self._locks or self._owner != os.getpid():
            return
        try:
            if hasattr(self, "folder"):
                with _wrapped_system_errors(self.data_dir):
                    self._stop()
        finally:
            self._release()

    @property
    def is_running(self) -> bool:
        """Whether its server process exists, even if it does not accept connections now."""
        return postmaster.running(self.folder / "data") is not None

    def _start(self) -> None:
        if not self._locks:
            self._lock_folder()
        choice = choices.load(self.data_dir)
        if choice and not choice.made and not (choice.folder / "data" / "PG_VERSION").exists():
            discard_unfinished(choice.folder)  # its creation was interrupted, so it is empty
            choice = None
        choice = self._existing(choice) if choice else self._new()
        if choice.folder.parent != self.data_dir:  # a copy of the data folder refers to the same database
            self._lock(choice.folder.with_name(choice.folder.name + ".lock"))
        self.tier, self.folder = choice.tier, choice.folder
        server = self._run()
        self._socket = server.socket_folder
        choices.save(self.data_dir, choice)
        discard_unfinished(self.folder)  # again: the initdb of a killed run may have continued to write
        self.dsn = dsn_of(self.folder, server.socket_folder or self.folder / "socket")
        self.description = f"{self._name()} (embedded, {self.folder}), tier {self.tier}"

    def _name(self) -> str:
        return str(self.installation) if self.tier == "timescale" else f"PostgreSQL {self.installation.version}"

    def _lock_folder(self) -> None:
        with contextlib.suppress(FileExistsError):
            self.data_dir.parent.mkdir(parents=True, exist_ok=True)
            self.data_dir.mkdir()
            # If root created it, PostgreSQL can enter it to reach its own folder, but not list it.
            self.data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self._lock(self.data_dir / "embedded.lock")
        self._owner = os.getpid()

    def _lock(self, path: Path) -> None:
        if path not in [lock.path for lock in self._locks]:
            self._locks.append(FolderLock(path, self.data_dir))

    def _release(self) -> None:
        while self._locks:
            self._locks.pop().release()

    def _new(self) -> Choice:
        self._account = choose_account(self.data_dir)
        self.installation, self._bin_dir = choices.pick_for_new(self._pg_bin, self._account)
        folder = database_folder(self.data_dir, self._account)
        choice = self._choice(folder, self.installation.timescaledb, made=False)
        choices.save(self.data_dir, choice)  # before the database, so that every database has a choice
        durable = self._options.get("fsync") != "off"
        create(folder, self._bin_dir, self.installation, self._account, durable=durable)
        return msgspec.structs.replace(choice, made=True)

    def _existing(self, choice: Choice) -> Choice:
        data = choice.folder / "data"
        if not data.exists():
            raise DataMissingError(choice=self.data_dir / choices.FILE_NAME, folder=choice.folder)
        self._account = choose_account(data)
        owner, user = data.stat().st_uid, self._account.uid if self._account else os.geteuid()
        if owner != user:
            remedy = "Run the server as that user or as root, or change_owner the whole folder to one user (chown -R)."
            raise FolderAccessError(path=data, why=f"it belongs to user {owner}, not {user}", remedy=remedy)
        made_by = (data / "PG_VERSION").read_text("utf-8").strip()
        self.installation, self._bin_dir = choices.pick_for_existing(choice, made_by, self._pg_bin, self._account)
        timescaledb = choice.timescaledb and self.installation.timescaledb
        if timescaledb != choice.timescaledb:
            _log.warning(
                "TimescaleDB is %s now and was %s in %s: run ALTER EXTENSION timescaledb UPDATE.",
                timescaledb,
                choice.timescaledb,
                choice.folder,
            )
        return self._choice(choice.folder, timescaledb, made=True)

    def _choice(self, folder: Path, timescaledb: str | None, *, made: bool) -> Choice:
        it = self.installation
        return Choice(folder, it.bin_dir, it.version, it.major, timescaledb, made)

    def _run(self) -> Postmaster:
        data, config = self.folder / "data", self.folder / "tracker.conf"
        wanted = render(self.installation, self.tier, self._options).encode()
        bound_logs(self.folder / "log")
        if postmaster.running(data):
            if not config.exists() or config.read_bytes() != wanted:
                _log.info("PostgreSQL on %s runs with other settings or binaries: restarting it.", self.folder)
                self._stop()
            elif server := self._await_running():
                _log.info("Adopted the running PostgreSQL on %s (process %d).", self.folder, server.pid)
                return server
        self._clear_stale()
        choices.write_file(config, wanted, mode=0o644)
        self._launch()
        if server := self._await_running():
            return server
        raise self._start_error("It ended right after its start.")

    def _await_running(self) -> Postmaster | None:
        """Wait until a starting or stopping server accepts connections, or has ended (None)."""
        data = self.folder / "data"

        def settled() -> bool:
            server = postmaster.running(data)
            return server is None or server.accepts_connections()

        if not postmaster.wait_until(settled, START_SECONDS):
            raise self._start_error("")
        return postmaster.running(data)

    def _clear_stale(self) -> None:
        """Remove the files of a killed server. Raises FolderInUseError if another server uses the data."""
        data = self.folder / "data"
        postmaster.end_orphans(data)
        server = postmaster.read(data)
        if server is None:
            return
        command = postmaster.command_of(server.pid)
        if postmaster.is_postgres(command) and server.started_on != data:
            owner = f"PostgreSQL (process {server.pid}), which was started on {server.started_on}"
            raise FolderInUseError(folder=self.data_dir, owner=owner)
        if not postmaster.is_postgres(command):  # otherwise PostgreSQL decides, and its log says why
            (data / "postmaster.pid").unlink(missing_ok=True)
            remove_socket(server.socket_folder, self.folder)

    def _launch(self) -> None:
        log = self.folder / "log"
        (log / "start.log").unlink(missing_ok=True)
        # A restarted database must keep its address, because pools and workers know no other.
        if self._socket is None or not self._socket.parent.is_dir():
            self._socket = socket_folder(self.folder, self._account)
        elif not self._socket.is_dir():
            self._socket.mkdir(0o700)
            change_owner(self._socket, self._account)
        socket = self._socket
        # pg_ctl passes these to a shell without quotes, so both have plain characters only. Other paths are not passed:
        # the data folder is in PGDATA, and the log is relative to the working directory.
        flags = f"-k {socket} -c cluster_name={postmaster.name_for(self.folder / 'data')}"
        done = self._pg_ctl("start", "-w", "-t", str(START_SECONDS), "-l", "start.log", "-o", flags)
        if done.returncode != 0:
            error = self._start_error(done.stderr)
            if not isinstance(error, StillStartingError):
                remove_socket(socket, self.folder)
            raise error

    def _start_error(self, output: str) -> EmbeddedError:
        log = self.folder / "log"
        tail = log_tail(log) or output.strip()
        if server := postmaster.running(self.folder / "data"):
            return StillStartingError(pid=server.pid, folder=self.folder, seconds=START_SECONDS, log=log, tail=tail)
        return StartFailedError(bin_dir=self._bin_dir, folder=self.folder, log=log, tail=tail)

    def _stop(self) -> None:
        data = self.folder / "data"
        server = postmaster.running(data)
        if server is None:
            postmaster.end_orphans(data)
            return
        done = self._pg_ctl("stop", "-w", "-m", "fast", "-t", str(STOP_SECONDS))
        if postmaster.running(data):
            _log.warning("PostgreSQL on %s did not stop in %d s: stopping it immediately.", self.folder, STOP_SECONDS)
            done = self._pg_ctl("stop", "-w", "-m", "immediate", "-t", "10")
        # pg_ctl returns when postmaster.pid is removed, shortly before the process ends.
        if not postmaster.wait_until(lambda: not postmaster.command_of(server.pid), 10):
            raise StopFailedError(pid=server.pid, folder=self.folder, why=done.stderr.strip())
        remove_socket(server.socket_folder, self.folder)

    def _pg_ctl(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(
            [self._bin_dir / "pg_ctl", *arguments],
            self._account,
            cwd=self.folder / "log",
            pgdata=self.folder / "data",
        )


@contextlib.contextmanager
def _wrapped_system_errors(data_dir: Path) -> Generator[None]:
    """Convert system errors (permissions, a full disk) to an EmbeddedError that names the path."""
    try:
        yield
    except OSError as error:
        remedy = f"The data folder is {data_dir} (TRACKER_DATA_DIR)."
        raise FolderAccessError(path=error.filename or data_dir, why=error.strerror or error, remedy=remedy) from error
    except subprocess.SubprocessError as error:
        raise EmbeddedError(what=f"The embedded PostgreSQL in {data_dir}: {error}") from error
