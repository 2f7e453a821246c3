"""The seam between the storage tiers: one class a tier, the same calls, the same conformance suite.

What is the same on both stands here: a group of batches in one transaction. What differs (policies, partitions, how
past hours are computed again) is abstract, and only `maintenance/` and the migration call it.
"""

import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from tracker_backend.ingest.batch import KINDS, MOST_FIELDS, Batch, Counts, Drop, Image, Known, Outcome
from tracker_backend.ingest.times import from_datetime, to_datetime
from tracker_backend.ingest.wire import ROW_FIELDS
from tracker_backend.settings import Settings
from tracker_backend.storage import sessions
from tracker_backend.storage.marks import mark
from tracker_backend.storage.masked import all_secret, mask_stored, new_fields
from tracker_backend.storage.nodes import SPREAD_MS, Node
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sessions import SessionKey
from tracker_backend.storage.sql import load

SERIES = ("events", "screenshots", "recordings")
EVENT_COLUMNS = ("event_id", "project_id", "session_id", "source", "page_host", "page_path", *ROW_FIELDS)
"""The order of a batch's rows: what the server adds, then the fields of an event."""

_NOTHING: frozenset[str] = frozenset()
_ID_ATTEMPTS = 20
_sql = load(__file__, "ingest")

Identity = tuple[int, UUID, UUID]
RECORDING_COLUMNS = (
    "recording_id",
    "project_id",
    "session_id",
    "timestamp",
    "last_at",
    "arrival",
    "event_count",
    "inflated_size",
    "has_full_snapshot",
    "client_first",
    "client_last",
    "batches",
    "data",
)
"""The order of a recording's row."""

Place = Callable[[Batch, Known], object]


class _Claim(Struct, frozen=True):
    """Of a group: which batches are new, and what the first statement found out."""

    fresh: list[Batch]
    erased: set[SessionKey]
    """Sessions of batches that may not come back."""
    offsets: dict[SessionKey, int]
    """Clock offsets that are stored, in microseconds."""
    masked: dict[SessionKey, frozenset[str]]
    current_hour: datetime | None
    """The start of the database's current hour; None where no batch with rows is new."""


class Store(ABC):
    """One database of one tier."""

    tier: ClassVar[str]

    def __init__(self, settings: Settings, pool: Pool, node: Node, secret: bytes) -> None:
        self.settings = settings
        self.pool = pool
        self.node = node
        self.secret = secret
        """The installation's: keys the marks of erased sessions and users."""

    async def write(self, batches: Sequence[Batch], place: Place) -> list[Outcome]:
        """Writes a group in one transaction and tells what became of each batch.

        `place` makes a batch's rows anew, for a session of which something else is known than the batch assumed.

        Locks are taken in the order of everyone who takes several of them: identities in key order, sessions in key
        order, this process's own counters. Tombstones are read by the first statement and stay locked against those
        who lock the whole table: when an erasure has written its own, no group is under way that has not seen them.
        """
        async with self.pool.acquire() as connection, _group_transaction(connection):
            claim = await self._claim(connection, batches)
            fresh = self._place(claim, batches, place, await self._known(connection, claim.fresh))
            refs = await self._write_rows(connection, fresh, claim.current_hour)
            started = await self._write_sessions(connection, fresh, claim.masked)
            if len(fresh) < len(batches):
                refs |= await self._find_refs(connection, batches)
        stored = {id(batch) for batch in fresh}
        outcomes: list[Outcome] = []
        for batch in batches:
            key = (batch.project_id, batch.session_id)
            if key in claim.erased:
                outcomes.append(Outcome(False, None, False, None, Drop.ERASED))
                continue
            created, started_at = started.get(key, (False, None))
            ref = refs.get(_identity(batch)) if batch.image else None
            outcomes.append(Outcome(id(batch) not in stored, ref, created, started_at))
        return outcomes

    async def _claim(self, connection: Connection, batches: Sequence[Batch]) -> _Claim:
        """Claims the identities of a group's batches, each once."""
        named = {_identity(batch): batch for batch in reversed(batches) if batch.identity is not None}
        asked = [*named.values(), *(batch for batch in batches if batch.identity is None)]
        rows = await connection.fetch(
            _sql.claim_batches, *zip(*(self._question(batch) for batch in asked), strict=True)
        )
        claimed = [row for row in rows if not row["erased"]]
        erased = {(row[0], row[1]) for row in rows if row["erased"]}
        new = {id(named[row[0], row[1], row[2]]) for row in claimed}
        return _Claim(
            fresh=[
                batch
                for batch in batches
                if id(batch) in new or (batch.identity is None and (batch.project_id, batch.session_id) not in erased)
            ],
            erased=erased,
            offsets={(row[0], row[1]): row[3] * 1000 for row in claimed if row[3] is not None},
            masked={(row[0], row[1]): frozenset(row[4]) for row in claimed if row[4]},
            current_hour=claimed[0]["current_hour"] if claimed else None,
        )

    def _question(self, batch: Batch) -> tuple[object, ...]:
        project_id, session_id, user_id = batch.project_id, batch.session_id, batch.session.user_id
        return (
            project_id,
            session_id,
            batch.identity,
            len(batch.events) + (batch.recording.count if batch.recording else 0),
            mark(self.secret, project_id, "session", str(session_id)),
            None if user_id is None else mark(self.secret, project_id, "user", user_id),
        )

    @staticmethod
    def _place(
        claim: _Claim,
        batches: Sequence[Batch],
        place: Place,
        known: dict[SessionKey, tuple[str | None, frozenset[str]]],
    ) -> list[Batch]:
        """The new batches, placed with what is known of their sessions."""
        # A field that looks secret in one batch of the group is masked in all of them.
        secret = dict(claim.masked)
        for batch in claim.fresh:
            if batch.masked:
                key = (batch.project_id, batch.session_id)
                secret[key] = all_secret(secret.get(key, _NOTHING), batch.masked)
        # The session's offset is the stored one, else the first that this group can tell.
        for batch in batches:
            if batch.offset is not None:
                claim.offsets.setdefault((batch.project_id, batch.session_id), batch.offset)
        for batch in claim.fresh:
            key = (batch.project_id, batch.session_id)
            page, told = known.get(key, (None, _NOTHING))
            masked = batch.concerned(secret[key]) if key in secret else _NOTHING
            state = Known(claim.offsets.get(key, 0), masked=masked)
            if known:
                told |= _kinds(_by_kind(batch.counts))
                if batch.recording is not None:
                    state = Known(state.offset, page, told, masked)
                    page = batch.recording.last_page or page
                known[key] = (page, told)
            if batch.identity is not None and state != batch.placed_with:
                place(batch, state)
        return claim.fresh

    @staticmethod
    async def _known(connection: Connection, fresh: list[Batch]) -> dict[SessionKey, tuple[str | None, frozenset[str]]]:
        """The last page of their recording, and the kinds that their own events tell, of sessions that record."""
        keys = {(batch.project_id, batch.session_id) for batch in fresh if batch.recording is not None}
        if not keys:
            return {}
        known: dict[SessionKey, tuple[str | None, frozenset[str]]] = dict.fromkeys(keys, (None, _NOTHING))
        for row in await connection.fetch(_sql.find_told, *zip(*keys, strict=True)):
            known[row[0], row[1]] = (row[2], _kinds(row[3]))
        return known

    async def _write_rows(
        self, connection: Connection, fresh: list[Batch], current_hour: datetime | None
    ) -> dict[Identity, int]:
        rows = [row for batch in fresh for row in batch.rows]
        if rows and current_hour is not None:
            await connection.copy_records_to_table("events", schema_name="tracker", records=rows, columns=EVENT_COLUMNS)
            limit = from_datetime(current_hour)
            late = {(batch.project_id, hour) for batch in fresh if batch.rows for hour in batch.hours if hour < limit}
            if late:
                await connection.execute(_sql.mark_hours, *zip(*late, strict=True))
        recordings = [batch.recording.row for batch in fresh if batch.recording is not None]
        if recordings:
            await connection.copy_records_to_table(
                "recordings", schema_name="tracker", records=recordings, columns=RECORDING_COLUMNS
            )
        return {
            _identity(batch): await self._write_image(connection, batch, batch.image)
            for batch in fresh
            if batch.image is not None
        }

    async def _write_image(self, connection: Connection, batch: Batch, image: Image) -> int:
        assert batch.first_at is not None  # noqa: S101 — an image always has a time
        key = (batch.project_id, batch.session_id)
        moment = to_datetime(batch.first_at)
        holder: int | None = await connection.fetchval(_sql.find_image, *key, image.sha256, moment)
        content = (holder, None, None) if holder is not None else (None, image.data, image.thumbnail)
        size = (image.format, image.width, image.height, len(image.data), image.sha256)
        for attempt in range(_ID_ATTEMPTS):
            # Clients that tell whole seconds need more than the 128 ids of one millisecond.
            identifier = self.node.take_at(moment, secrets.randbelow(SPREAD_MS) if attempt else 0)
            values = (identifier, *key, moment, image.page_url, *size, *content)
            if await connection.fetchval(_sql.insert_screenshot, *values) is not None:
                await connection.execute(_sql.set_ref, *_identity(batch), identifier)
                return identifier
        raise ValueError(f"no id left for a screenshot at {moment}: too many of one minute")

    async def _write_sessions(
        self, connection: Connection, fresh: list[Batch], masked: dict[SessionKey, frozenset[str]]
    ) -> dict[SessionKey, tuple[bool, datetime]]:
        if not fresh:
            return {}
        new = new_fields(fresh, masked)
        changes = sessions.changes(fresh, new)
        rows = await connection.fetch(_sql.upsert_sessions, self.node.number, *sessions.columns(changes), MOST_FIELDS)
        recorded = [row for row in rows if row["recorded"]]
        if recorded:
            await self._drop_told(connection, fresh, changes, recorded)
        if any(batch.tells_typed for batch in fresh):
            secret = {(row["project_id"], row["session_id"]): frozenset(row["masked_fields"] or ()) for row in rows}
            if any(batch.concerned(secret[batch.project_id, batch.session_id]) for batch in fresh):
                # Another process found it out since this group asked: this one begins anew, and masks it.
                raise asyncpg.SerializationError("a field of a session turned out to be secret meanwhile")
        if new:
            created = {(row["project_id"], row["session_id"]) for row in rows if row["created"]}
            typed = {(row["project_id"], row["session_id"]) for row in rows if row["has_typed"]}
            await mask_stored(connection, fresh, new, created, typed)
        return {(row["project_id"], row["session_id"]): (row["created"], row["started_at"]) for row in rows}

    @staticmethod
    async def _drop_told(
        connection: Connection,
        fresh: list[Batch],
        changes: list[sessions.SessionChange],
        rows: Sequence[asyncpg.Record],
    ) -> None:
        """Deletes events found in recordings of kinds that the sessions' own events turned out to tell."""
        written: dict[SessionKey, frozenset[str]] = {}
        for batch in fresh:
            if batch.recording is not None:
                key = (batch.project_id, batch.session_id)
                written[key] = written.get(key, _NOTHING) | batch.recording.written
        given = {(change.project_id, change.session_id): _by_kind(change.native) for change in changes}
        for row in rows:
            key = (row["project_id"], row["session_id"])
            # Kinds first told by this group, or by another process while this one wrote what it found.
            first = {kind for kind, new, all_ in zip(KINDS, given[key], row["told"], strict=True) if 0 < new == all_}
            late = _kinds(row["told"]) & ((first & _kinds(row["recorded"])) | written.get(key, _NOTHING))
            if late:
                await connection.execute(_sql.drop_told, *key, sorted(late))

    @staticmethod
    async def _find_refs(connection: Connection, batches: Sequence[Batch]) -> dict[Identity, int]:
        images = {_identity(batch) for batch in batches if batch.image is not None}
        rows = await connection.fetch(_sql.find_refs, *zip(*images, strict=True)) if images else []
        return {(row["project_id"], row["session_id"], row["batch_id"]): row["ref"] for row in rows if row["ref"]}

    @abstractmethod
    async def versions(self) -> dict[str, str]:
        """Names and versions of what stores: `{"postgresql": "18.6", "timescaledb": "2.29.2"}`."""

    @abstractmethod
    async def apply_settings(self, connection: Connection) -> None:
        """Makes the database keep the intervals of the settings; called by every migration."""

    @abstractmethod
    async def make_ahead(self) -> int:
        """Makes the chunks or partitions of the late window and of the days ahead; returns how many were new."""

    @abstractmethod
    async def drop_expired(self) -> int:
        """Drops chunks or partitions past their retention; returns how many."""

    @abstractmethod
    async def drop_expired_hours(self, limit: datetime) -> int:
        """Drops rows of `events_hourly` before `limit`, the end of the hourly retention; returns how many, if known."""

    @abstractmethod
    async def forget_hours(self, connection: Connection, project_id: int) -> None:
        """Removes all hours of a project from `events_hourly`, also those whose numbers are final."""

    @abstractmethod
    async def refresh_events_hourly(self) -> int:
        """Computes finished and changed hours of `events_hourly`; returns how many."""


@asynccontextmanager
async def _group_transaction(connection: Connection) -> AsyncGenerator[None]:
    """A transaction that begins with its settings in one round trip, which asyncpg's own does not."""
    await connection.execute(_sql.begin_group)
    try:
        yield
    except BaseException:
        if not connection.is_closed():
            await connection.execute("rollback")
        raise
    await connection.execute("commit")


def _kinds(counts: Sequence[int]) -> frozenset[str]:
    """Which of `KINDS` were counted."""
    return frozenset(kind for kind, count in zip(KINDS, counts, strict=True) if count > 0)


def _by_kind(counts: Counts) -> tuple[int, int, int, int]:
    """In the order of `KINDS`."""
    return counts.clicks, counts.errors, counts.pages, counts.rage_clicks


def _identity(batch: Batch) -> Identity:
    assert batch.identity is not None  # noqa: S101 — callers pass batches that have one
    return batch.project_id, batch.session_id, batch.identity
