"""Deletes sessions past their `expires_at`. Where TRACKER_ARCHIVE_DIR is set, each is written there first."""

import asyncio
import logging
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from tracker_backend import archive
from tracker_backend.errors import NotFound, SettingsError
from tracker_backend.privacy.session_erasure import erase_session
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store

_PAGE = 100
_BEGIN = (datetime(1, 1, 1, tzinfo=UTC), 0, UUID(int=0))
_UNAVAILABLE = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, SettingsError)
_sql = load(__file__, "session_expiry")
_log = logging.getLogger(__name__)


async def expire_sessions(store: Store) -> int:
    """Archives and deletes sessions that have expired; returns how many.

    Each session is deleted in a transaction of its own, and only if nothing was written to it since it was archived. A
    session that cannot be archived is kept; the task goes on with the others and then fails.
    """
    position = _BEGIN
    removed = 0
    failed: Exception | None = None
    while rows := await store.pool.fetch(_sql.list_expired, *position, _PAGE):
        for expires_at, project_id, session_id, version in rows:
            position = (expires_at, project_id, session_id)
            try:
                removed += await _expire(store, project_id, session_id, version)
            except _UNAVAILABLE:
                raise  # of the database or the disk: the next session would fail too
            except Exception as error:
                _log.exception("session %s of project %d could not be archived and is kept", session_id, project_id)
                failed = error
    if failed is not None:
        raise failed
    return removed


async def _expire(store: Store, project_id: int, session_id: UUID, version: str) -> bool:
    arguments = (store.pool, store.node, project_id, session_id, version)
    folder = archive.archive_folder(store.settings)
    if folder is None:
        return await erase_session(*arguments) is not None
    try:
        file = await archive.write_session(store.pool, folder, project_id, session_id)
        try:
            # The file is published while the session's row is locked. An erasure of the session either ends before,
            # and no file is published, or begins after, and finds the file.
            return await erase_session(*arguments, file.publish) is not None
        finally:
            await asyncio.to_thread(file.discard)
    except NotFound:
        return False  # deleted in between
    except (ConnectionError, TimeoutError):
        raise  # of the database
    except OSError as error:
        raise SettingsError(
            f"TRACKER_ARCHIVE_DIR is {folder}, which cannot be written to ({error}): expired sessions are kept until it"
            " can be."
        ) from error
