"""The list of maintenance tasks. One server process runs them (see `leader`), or `tracker-backend maintain`."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from msgspec import Struct

from tracker_backend.accounts.expired_logins import delete_expired_logins
from tracker_backend.maintenance import retention
from tracker_backend.maintenance.deleted_projects import delete_projects
from tracker_backend.maintenance.project_retention import apply_project_retention
from tracker_backend.maintenance.session_expiry import expire_sessions
from tracker_backend.privacy import tombstones
from tracker_backend.privacy.erasures import finish_erasures
from tracker_backend.recordings.compaction import pack_recordings
from tracker_backend.storage import rollups
from tracker_backend.storage.store import Store


class Task(Struct, frozen=True):
    """A maintenance task; `run_once` returns how many hours, chunks or rows it changed."""

    name: str
    every: timedelta | None
    """None: the interval is TRACKER_REFRESH_MINUTES."""
    purpose: str
    run_once: Callable[[Store], Awaitable[int]]


async def make_ahead(store: Store) -> int:
    """Makes the chunks or partitions of the next days; returns how many."""
    return await store.make_ahead()


async def refresh_events(store: Store) -> int:
    """Computes hours of events that ended or changed; returns how many."""
    return await store.refresh_events_hourly()


async def refresh_sessions(store: Store) -> int:
    """Computes hours of sessions that ended or changed; returns how many."""
    return await rollups.refresh(store.pool, "sessions_hourly")


_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

TASKS: list[Task] = [
    Task("chunks", _HOUR, "make chunks or partitions ahead", make_ahead),
    Task("events-hourly", None, "compute new and changed hours of events", refresh_events),
    Task("sessions-hourly", None, "compute new and changed hours of sessions", refresh_sessions),
    Task("compaction", 10 * _MINUTE, "pack recordings of sessions that have ended", pack_recordings),
    Task("projects", _MINUTE, "delete rows and files of deleted projects", delete_projects),
    Task("retention", _HOUR, "drop raw rows past their retention", retention.drop_raw_rows),
    Task("hourly-retention", 6 * _HOUR, "drop hourly numbers past their retention", retention.drop_hourly_numbers),
    Task("sessions", _HOUR, "drop sessions whose rows were all dropped", retention.drop_sessions_without_rows),
    Task("expiry", _DAY, "archive and delete sessions past their time to live", expire_sessions),
    Task("erasures", _MINUTE, "finish erasures that were cut off", finish_erasures),
    Task("tombstones", _HOUR, "remove tombstones whose time is over", tombstones.remove_expired),
    Task("project-retention", _DAY, "delete rows past the retention of their project", apply_project_retention),
    Task("batches", _HOUR, "drop identities of old batches", retention.drop_batch_identities),
    Task("logins", _HOUR, "delete expired logins, links and tickets", delete_expired_logins),
]
