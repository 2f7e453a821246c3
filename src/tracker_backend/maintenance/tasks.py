"""What the server does by itself, now and then, on one process: name, how often, and what."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from msgspec import Struct

from tracker_backend.maintenance import deleted_projects, expired_logins, expiry, project_retention, retention
from tracker_backend.privacy import erasures
from tracker_backend.recordings import compaction
from tracker_backend.storage import rollups
from tracker_backend.storage.store import Store


class Task(Struct, frozen=True):
    """`run_once` returns how many things it did: hours, chunks, rows."""

    name: str
    every: timedelta | None
    """None: as often as TRACKER_REFRESH_MINUTES says."""
    purpose: str
    run_once: Callable[[Store], Awaitable[int]]


async def make_ahead(store: Store) -> int:
    """Chunks or partitions of the days to come."""
    return await store.make_ahead()


async def refresh_events(store: Store) -> int:
    """Hours of events that ended or changed."""
    return await store.refresh_events_hourly()


async def refresh_sessions(store: Store) -> int:
    """Hours of sessions that ended or changed."""
    return await rollups.refresh(store.pool, "sessions_hourly")


TASKS: list[Task] = [
    Task("chunks", timedelta(hours=1), "make chunks or partitions ahead", make_ahead),
    Task("events-hourly", None, "compute new and changed hours of events", refresh_events),
    Task("sessions-hourly", None, "compute new and changed hours of sessions", refresh_sessions),
    Task("compaction", timedelta(minutes=10), "pack recordings of silent sessions", compaction.pack_recordings),
    Task("projects", timedelta(minutes=1), "remove what deleted projects have left", deleted_projects.remove_deleted),
    Task("retention", timedelta(hours=1), "drop raw rows past their retention", retention.drop_series),
    Task("hourly-retention", timedelta(hours=6), "drop hourly numbers past theirs", retention.drop_hours),
    Task("sessions", timedelta(hours=1), "drop sessions whose rows have all expired", retention.drop_sessions),
    Task("expiry", timedelta(days=1), "archive and remove sessions past their time to live", expiry.expire_sessions),
    Task("erasures", timedelta(minutes=1), "go on with erasures that were cut off", erasures.finish_all),
    Task("tombstones", timedelta(hours=1), "forget erasures that no resend can undo", erasures.sweep),
    Task(
        "project-retention",
        timedelta(days=1),
        "remove rows of projects that keep theirs for less long",
        project_retention.remove_old,
    ),
    Task("batches", timedelta(hours=1), "drop identities that no repeat can name", retention.drop_batches),
    Task("logins", timedelta(hours=1), "drop logins, links and tickets that are over", expired_logins.drop_over),
]
