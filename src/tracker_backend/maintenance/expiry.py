"""Removes sessions past their `expires_at`; where an archive folder is set, each is written there first."""

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
_AWAY = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, SettingsError)
_sql = load(__file__, "expiry")
_log = logging.getLogger(__name__)


async def expire_sessions(store: Store) -> int:
    """Archives and removes sessions that have expired; returns how many.

    Each is removed in a transaction of its own, and only if nothing was written to it since it was archived. One that
    cannot be archived stays and fails the task, after the others.
    """
    position = _BEGIN
    removed = 0
    failed: Exception | None = None
    while rows := await store.pool.fetch(_sql.list_expired, *position, _PAGE):
        for expires_at, project_id, session_id, version in rows:
            position = (expires_at, project_id, session_id)
            try:
                removed += await _expire(store, project_id, session_id, version)
            except _AWAY:
                raise  # the database's or the disk's: the next one would meet it too
            except Exception as error:
                _log.exception("session %s of project %d could not be archived and is kept", session_id, project_id)
                failed = error
    if failed is not None:
        raise failed
    return removed


async def _expire(store: Store, project_id: int, session_id: UUID, version: str) -> bool:
    arguments = (store.pool, store.node, project_id, session_id, version)
    folder = archive.folder_of(store.settings)
    if folder is None:
        return await erase_session(*arguments) is not None
    try:
        part = await archive.write_session(store.pool, folder, project_id, session_id)
        try:
            # The file appears while the session's row is held: who erases the session comes before, and there is no
            # file, or after it, and finds the file.
            return await erase_session(*arguments, part.publish) is not None
        finally:
            await asyncio.to_thread(part.discard)
    except NotFound:
        return False  # deleted meanwhile
    except (ConnectionError, TimeoutError):
        raise  # the database's
    except OSError as error:
        raise SettingsError(
            f"TRACKER_ARCHIVE_DIR is {folder}, which cannot be written to ({error}): sessions that have expired"
            " are kept until it can."
        ) from error
