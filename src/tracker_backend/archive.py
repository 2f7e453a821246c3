"""The archive: one gzip file a session, `<folder>/<project>/<session>.json.gz`, in the format of the export."""

import asyncio
import gzip
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import msgspec
from msgspec import Struct

from tracker_backend.gzip_stream import gzipped
from tracker_backend.json_scanner import Scanner, UnreadableError
from tracker_backend.queries import export, sessions
from tracker_backend.settings import Settings
from tracker_backend.storage.pool import Pool

_HEADER_BYTES = 1024 * 1024


class _Header(Struct):
    started_at: str
    user_id: str | None = None


_header = msgspec.json.Decoder(_Header)


class UnpublishedFile:
    """A complete file that is not in the archive yet: `publish` moves it there, `discard` deletes it."""

    def __init__(self, temporary: Path, path: Path) -> None:
        self._temporary = temporary
        self.path = path

    def publish(self) -> None:
        """Moves the file into the archive, durably and in one step. It replaces a file of the same session."""
        _publish(self._temporary, self.path)

    def discard(self) -> None:
        """Deletes the file. Does nothing after `publish`."""
        self._temporary.unlink(missing_ok=True)


def archive_folder(settings: Settings) -> Path | None:
    """The archive's folder; None where TRACKER_ARCHIVE_DIR is not set."""
    return None if settings.archive_dir is None else settings.archive_dir.expanduser()


async def write_session(pool: Pool, folder: Path, project_id: int, session_id: UUID) -> UnpublishedFile:
    """Writes the file of a session, to be published.

    A session that begins anew after it expired keeps its id. The earlier file stays, and the new one gets a number.
    """
    session = await sessions.get_session(pool, project_id, session_id)
    folder = folder / str(project_id)
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    path = await asyncio.to_thread(_path, folder, session)
    await asyncio.to_thread(_clean, folder, session_id)
    number, name = await asyncio.to_thread(tempfile.mkstemp, prefix=f".{session_id}.", suffix=".part", dir=folder)
    file = UnpublishedFile(Path(name), path)
    try:
        with os.fdopen(number, "wb") as out:
            async for text in gzipped(export.export_session(pool, project_id, session, "json")):
                await asyncio.to_thread(out.write, text)
            await asyncio.to_thread(_sync, out)
    except BaseException:
        await asyncio.to_thread(file.discard)
        raise
    return file


def find_files(folder: Path, project_id: int, is_wanted: Callable[[UUID], bool], user_id: str | None) -> Iterator[Path]:
    """Files of the wanted sessions, and those of a user, which are found by the first bytes of each file."""
    folder = folder / str(project_id)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        try:
            session_id = UUID(path.name.lstrip(".").partition(".")[0])
        except ValueError:
            continue  # not a file of the archive
        if is_wanted(session_id) or (user_id is not None and _user_of(path) == user_id):
            yield path


def remove_files(folder: Path, project_id: int, is_wanted: Callable[[UUID], bool], user_id: str | None) -> int:
    """Deletes the files that `find_files` returns, durably; returns how many."""
    removed = 0
    for path in find_files(folder, project_id, is_wanted, user_id):
        path.unlink(missing_ok=True)
        removed += 1
    if removed:
        _sync_folder(folder / str(project_id))
    return removed


def remove_project(folder: Path, project_id: int) -> None:
    """Deletes all files of a project, and its folder if it is empty then."""
    remove_files(folder, project_id, lambda _: True, None)
    with suppress(OSError):
        (folder / str(project_id)).rmdir()


def _clean(folder: Path, session_id: UUID) -> None:
    """Deletes unpublished files of processes that were killed."""
    for path in folder.glob(f".{session_id}.*.part"):
        path.unlink(missing_ok=True)


def _path(folder: Path, session: sessions.Session) -> Path:
    started = msgspec.json.decode(msgspec.json.encode(session.started_at), type=str)
    number = 1
    while True:
        path = folder / (f"{session.session_id}.json.gz" if number == 1 else f"{session.session_id}.{number}.json.gz")
        if not path.exists() or _started(path) == started:
            return path
        number += 1


def _started(path: Path) -> str | None:
    """When the session of a file began; None for an unreadable file."""
    header = _read_header(path)
    return None if header is None else header.started_at


def _user_of(path: Path) -> str | None:
    header = _read_header(path)
    return None if header is None else header.user_id


def _read_header(path: Path) -> _Header | None:
    """The session that a file begins with; None for an unreadable file."""
    try:
        with gzip.open(path) as source:
            scanner = Scanner(source.read, _HEADER_BYTES)
            for name in scanner.members():
                return _header.decode(scanner.value()) if name == "session" else None
    except (OSError, EOFError, zlib.error, UnreadableError, msgspec.MsgspecError):
        return None
    return None


def _sync(out: BinaryIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def _publish(temporary: Path, path: Path) -> None:
    temporary.replace(path)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
