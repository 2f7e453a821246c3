"""The archive: one gzip file a session, `<folder>/<project>/<session>.json.gz`, in the format of the export."""

import asyncio
import gzip
import os
import tempfile
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

import msgspec
from msgspec import Struct

from tracker_backend.gzipped import gzipped
from tracker_backend.importing.scan import Scanner, UnreadableError
from tracker_backend.queries import export, sessions
from tracker_backend.storage.pool import Pool

_HEADER_BYTES = 1024 * 1024


class _Begun(Struct):
    started_at: str


_begun = msgspec.json.Decoder(_Begun)


async def archive_session(pool: Pool, folder: Path, project_id: int, session_id: UUID) -> Path:
    """Writes a session's file and returns its path; it is whole and on the disk, or not there at all.

    A file of the same session is replaced. One of a session that had the same id, and was begun anew after it had
    expired, is kept: the new file gets a number.
    """
    session = await sessions.get_session(pool, project_id, session_id)
    folder = folder / str(project_id)
    await asyncio.to_thread(folder.mkdir, mode=0o700, parents=True, exist_ok=True)
    path = await asyncio.to_thread(_path, folder, session)
    await asyncio.to_thread(_clean, folder, session_id)
    number, name = await asyncio.to_thread(tempfile.mkstemp, prefix=f".{session_id}.", suffix=".part", dir=folder)
    part = Path(name)
    try:
        with os.fdopen(number, "wb") as out:
            async for text in gzipped(export.export_session(pool, project_id, session, "json")):
                await asyncio.to_thread(out.write, text)
            await asyncio.to_thread(_sync, out)
        await asyncio.to_thread(_publish, part, path)
    except BaseException:
        await asyncio.to_thread(part.unlink, missing_ok=True)
        raise
    return path


def _clean(folder: Path, session_id: UUID) -> None:
    """Removes what a process that was killed has left."""
    for left in folder.glob(f".{session_id}.*.part"):
        left.unlink(missing_ok=True)


def _path(folder: Path, session: sessions.Session) -> Path:
    started = msgspec.json.decode(msgspec.json.encode(session.started_at), type=str)
    number = 1
    while True:
        path = folder / (f"{session.session_id}.json.gz" if number == 1 else f"{session.session_id}.{number}.json.gz")
        if not path.exists() or _started(path) == started:
            return path
        number += 1


def _started(path: Path) -> str | None:
    """When the session of a file began; None if it cannot be told."""
    try:
        with gzip.open(path) as source:
            scanner = Scanner(source.read, _HEADER_BYTES)
            for name in scanner.members():
                return _begun.decode(scanner.value()).started_at if name == "session" else None
    except (OSError, EOFError, UnreadableError, msgspec.MsgspecError):
        return None
    return None


def _sync(out: BinaryIO) -> None:
    out.flush()
    os.fsync(out.fileno())


def _publish(part: Path, path: Path) -> None:
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
