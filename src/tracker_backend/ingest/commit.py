"""Group commit: what a group of batches writes, in one transaction."""

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from tracker_backend.ingest import session_changes, steps
from tracker_backend.ingest.batch import KINDS, MOST_FIELDS, Batch, Counts, Drop, Image, Known, Outcome
from tracker_backend.ingest.session_changes import SessionKey
from tracker_backend.ingest.stored_values import all_secret, mask_stored, new_fields
from tracker_backend.ingest.wire import ROW_FIELDS
from tracker_backend.recordings.row import RECORDING_COLUMNS
from tracker_backend.storage.keyed_hash import mark
from tracker_backend.storage.nodes import SPREAD_MS
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store
from tracker_backend.times import from_datetime, to_datetime

EVENT_COLUMNS = ("event_id", "project_id", "session_id", "source", "page_host", "page_path", *ROW_FIELDS)
"""The order of a batch's rows: what the server adds, then the fields of an event."""

_NOTHING: frozenset[str] = frozenset()
_ID_ATTEMPTS = 20
_sql = load(__file__, "commit", **session_changes.COLUMN_LISTS)

Identity = tuple[int, UUID, UUID]


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


class GroupCommit:
    """`write` for each group of batches."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def write(self, batches: Sequence[Batch]) -> list[Outcome]:
        """Writes a group in one transaction and tells what became of each batch.

        Rows of a batch are made anew where something else is known of its session than the batch assumed.

        Locks are taken in the order of everyone who takes several of them: identities in key order, sessions in key
        order, this process's own counters. Tombstones are read by the first statement and stay locked against those
        who lock the whole table: when an erasure has written its own, no group is under way that has not seen them.
        """
        async with self._store.pool.acquire() as connection, _group_transaction(connection):
            claim = await self._claim(connection, batches)
            fresh = self._place(claim, batches, await self._known(connection, claim.fresh))
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
            mark(self._store.secret, project_id, "session", str(session_id)),
            None if user_id is None else mark(self._store.secret, project_id, "user", user_id),
        )

    def _place(
        self,
        claim: _Claim,
        batches: Sequence[Batch],
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
                steps.place(batch, state, settings=self._store.settings, node=self._store.node)
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
            identifier = self._store.node.take_at(moment, secrets.randbelow(SPREAD_MS) if attempt else 0)
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
        changes = session_changes.changes(fresh, new)
        rows = await connection.fetch(
            _sql.upsert_sessions, self._store.node.number, session_changes.encode(changes), MOST_FIELDS
        )
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
        changes: list[session_changes.SessionChange],
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
