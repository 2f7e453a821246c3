"""A lock so that one server uses a data folder. It ends with the process that holds it."""

import contextlib
import fcntl
import os
import weakref
from pathlib import Path

from .errors import FolderAccessError, FolderInUseError


class FolderLock:
    """An exclusive flock on a file that contains the process id of the owner.

    The lock belongs to the open file. PostgreSQL does not inherit it (Python opens files close-on-exec), and forks of
    the owner close it, so that a worker that outlives a killed owner does not block the next server.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        """Lock without waiting. Raises FolderInUseError, which names the owner and the `folder`."""
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            remedy = "Run the server as the owner of that folder, or set TRACKER_DATA_DIR to another one."
            raise FolderAccessError(path=path, why=error.strerror, remedy=remedy) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(self._file, 20).decode("ascii", "replace").strip()
            os.close(self._file)
            owner = f"process {pid}" if pid else "another process, which is starting"
            if pid == str(os.getpid()):
                owner += " (this one)"
            raise FolderInUseError(folder=folder, owner=owner) from None
        except OSError as error:
            os.close(self._file)
            remedy = "Its file system has no locks; set TRACKER_DATA_DIR to a folder on a local disk."
            raise FolderAccessError(path=path, why=error.strerror, remedy=remedy) from error
        self._write(f"{os.getpid()}\n")
        _held.add(self)

    def release(self) -> None:
        """Unlock. Idempotent."""
        if self in _held:
            self._write("")
            self.forget()

    def forget(self) -> None:
        """Close the file without unlocking: for forks of the owner."""
        _held.discard(self)
        with contextlib.suppress(OSError):
            os.close(self._file)

    def _write(self, text: str) -> None:
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)


_held: weakref.WeakSet[FolderLock] = weakref.WeakSet()


def _forget_all() -> None:
    for lock in list(_held):
        lock.forget()


os.register_at_fork(after_in_child=_forget_all)
