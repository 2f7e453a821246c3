"""Group commit: what a group of batches writes, in one transaction."""

import secrets
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct
from msgspec.structs import astuple

from tracker_backend.ingest import session_changes
from tracker_backend.ingest.batch import KINDS, Batch, Drop, Image, KnownSession, Outcome, Placed, counted_kinds
from tracker_backend.ingest.batch_identity import is_repeat
from tracker_backend.ingest.clock import correction_of, with_session_clock
from tracker_backend.ingest.page_limit import PageLimit
from tracker_backend.ingest.rows import EVENT_COLUMNS, build_rows
from tracker_backend.ingest.session_changes import SessionKey
from tracker_backend.ingest.stored_values import mask_stored, new_fields
from tracker_backend.masking.secret_fields import MOST_FIELDS, bounded
from tracker_backend.recordings.row import RECORDING_COLUMNS
from tracker_backend.settings import Settings
from tracker_backend.storage.keyed_hash import keyed_hash
from tracker_backend.storage.nodes import SPREAD_MS
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import allow_bulk_changes
from tracker_backend.storage.store import Store
from tracker_backend.times import from_datetime, to_datetime

_NOTHING: frozenset[str] = frozenset()
_ID_ATTEMPTS = 20
_NEVER = 1e9  # seconds; None is the pool's own limit
_sql = load(__file__, "commit", **session_changes.COLUMN_LISTS)

Identity = tuple[int, UUID, UUID]


class Written(Struct, frozen=True):
    """What became of a batch of a committed group, and its rows as they were written."""

    placed: Placed
    outcome: Outcome


class _Claim(Struct, frozen=True):
    """Which batches of a group are new, and what the first statement reads of their sessions."""

    new: list[Placed]
    erased: set[SessionKey]
    """Sessions whose batches are dropped."""
    offsets: dict[SessionKey, int]
    """Stored clock offsets in microseconds."""
    secret_fields: dict[SessionKey, frozenset[str]]
    bots: dict[SessionKey, bool]
    """Labels that the sessions will have."""
    current_hour: datetime | None
    """The start of the database's current hour; None where no batch with rows is new."""


class GroupCommit:
    """`write` for each group of batches."""

    def __init__(self, settings: Settings, store: Store, pages: PageLimit) -> None:
        self._settings = settings
        self._pages = pages
        self._pool = store.pool
        self._node = store.node
        self._secret = store.secret

    async def write(self, group: Sequence[Placed]) -> list[Written]:
        """Writes a group in one transaction; returns what became of each batch, in order.

        Rows of a batch are built again where the database knows more of its session than the batch assumed.

        Locks are taken in the order of everyone who takes several of them: identities in key order, sessions in key
        order, this process's own counters. Tombstones are read by the first statement and stay locked against those
        who lock the whole table: when an erasure has written its own, no group is under way that has not seen them.
        """
        async with self._pool.acquire() as connection, _group_transaction(connection):
            claim = await self._claim(connection, group)
            new = await self._place(group, claim, await _known_recordings(connection, claim.new))
            refs = await self._write_rows(connection, new.values(), claim.current_hour)
            started = await self._write_sessions(connection, list(new.values()), claim)
            repeats = [placed for placed in group if id(placed) not in new and placed.key not in claim.erased]
            repeated = await _find_repeated(connection, repeats) if repeats else {}
        written: list[Written] = []
        for placed in group:
            if placed.key in claim.erased:
                written.append(Written(placed, Outcome(False, None, False, None, Drop.ERASED)))
                continue
            created, started_at = started.get(placed.key, (False, None))
            if id(placed) in new:
                ref = refs.get(_identity(placed.batch)) if placed.batch.image else None
                written.append(Written(new[id(placed)], Outcome(False, ref, created, started_at)))
            else:
                digest, ref = repeated.get(_identity(placed.batch), (None, None))
                conflicts = not placed.batch.is_partial and not is_repeat(digest, placed.batch.digest)
                written.append(Written(placed, Outcome(True, ref, created, started_at, conflicts=conflicts)))
        return written

    async def _claim(self, connection: Connection, group: Sequence[Placed]) -> _Claim:
        """Claims the identities of a group's batches, each once."""
        named = {_identity(placed.batch): placed for placed in reversed(group) if placed.batch.identity is not None}
        claiming = [*named.values(), *(placed for placed in group if placed.batch.identity is None)]
        rows = await connection.fetch(
            _sql.claim_batches, *zip(*(self._claim_row(placed.batch) for placed in claiming), strict=True)
        )
        claimed = [row for row in rows if not row["erased"]]
        erased = {(row[0], row[1]) for row in rows if row["erased"]}
        claimed_ids = {id(named[row[0], row[1], row[2]]) for row in claimed}
        new = [
            placed
            for placed in group
            if id(placed) in claimed_ids or (placed.batch.identity is None and placed.key not in erased)
        ]
        return _Claim(
            new=new,
            erased=erased,
            offsets={(row[0], row[1]): row[3] * 1000 for row in claimed if row[3] is not None},
            secret_fields={(row[0], row[1]): frozenset(row[4]) for row in claimed if row[4]},
            bots=_labels(claimed, new),
            current_hour=claimed[0]["current_hour"] if claimed else None,
        )

    def _claim_row(self, batch: Batch) -> tuple[object, ...]:
        project_id, session_id, user_id = batch.project_id, batch.session_id, batch.session.user_id
        return (
            project_id,
            session_id,
            batch.identity,
            batch.former_identity,
            batch.digest,
            len(batch.events) + (batch.recording.count if batch.recording else 0),
            keyed_hash(self._secret, project_id, "session", str(session_id)),
            None if user_id is None else keyed_hash(self._secret, project_id, "user", user_id),
        )

    async def _place(
        self, group: Sequence[Placed], claim: _Claim, recordings: dict[SessionKey, tuple[str | None, frozenset[str]]]
    ) -> dict[int, Placed]:
        """The new batches by the `id()` of the given ones, with rows for what is known of their sessions."""
        # A field that looks secret in one batch of the group is masked in all of them.
        secret = dict(claim.secret_fields)
        for placed in claim.new:
            if placed.batch.secret_fields:
                secret[placed.key] = bounded(secret.get(placed.key, _NOTHING) | placed.batch.secret_fields)
        # The session's offset is the stored one, else the first that a batch of this group estimates. Batches that show
        # another one were sent after the clock was corrected.
        offsets = dict(claim.offsets)
        for placed in group:
            if placed.batch.offset is not None:
                offsets.setdefault(placed.key, placed.batch.offset)
        new: dict[int, Placed] = {}
        for placed in claim.new:
            batch, key = placed.batch, placed.key
            page, kinds = recordings.get(key, (None, _NOTHING))
            hidden = batch.open_among(secret[key]) if key in secret else _NOTHING
            known = KnownSession(offsets.get(key, 0), secret_fields=hidden, is_bot=claim.bots[key])
            if recordings:
                kinds |= counted_kinds(batch.counts.by_kind())
                if batch.recording is not None:
                    known = KnownSession(known.clock_offset, page, kinds, hidden, known.is_bot)
                    page = batch.recording.last_page or page
                recordings[key] = (page, kinds)
            correction = correction_of(batch, known.clock_offset, self._settings)
            is_right = batch.identity is None or (known == placed.known and not correction)
            if not is_right and correction:
                batch = await with_session_clock(batch, correction)
            new[id(placed)] = placed if is_right else build_rows(batch, known, self._settings, self._node, self._pages)
        return new

    async def _write_rows(
        self, connection: Connection, new: Collection[Placed], current_hour: datetime | None
    ) -> dict[Identity, int]:
        """Writes events, recordings and images; returns the ids of the images."""
        rows = [row for placed in new for row in placed.event_rows]
        if rows and current_hour is not None:
            await connection.copy_records_to_table("events", schema_name="tracker", records=rows, columns=EVENT_COLUMNS)
            limit = from_datetime(current_hour)
            late = {
                (placed.batch.project_id, hour)
                for placed in new
                if placed.event_rows
                for hour in placed.hours
                if hour < limit
            }
            if late:
                await connection.execute(_sql.mark_hours, *zip(*late, strict=True))
        recordings = [astuple(placed.recording_row) for placed in new if placed.recording_row is not None]
        if recordings:
            await connection.copy_records_to_table(
                "recordings", schema_name="tracker", records=recordings, columns=RECORDING_COLUMNS
            )
        return {
            _identity(placed.batch): await self._write_image(connection, placed, placed.batch.image)
            for placed in new
            if placed.batch.image is not None
        }

    async def _write_image(self, connection: Connection, placed: Placed, image: Image) -> int:
        assert placed.first_at is not None  # noqa: S101 — an image always has a time
        moment = to_datetime(placed.first_at)
        holder: int | None = await connection.fetchval(_sql.find_image, *placed.key, image.sha256, moment)
        content = (holder, None, None) if holder is not None else (None, image.data, image.thumbnail)
        size = (image.format, image.width, image.height, len(image.data), image.sha256)
        for attempt in range(_ID_ATTEMPTS):
            # Clients that send whole seconds need more than the 128 ids of one millisecond.
            identifier = self._node.id_at(moment, secrets.randbelow(SPREAD_MS) if attempt else 0)
            values = (identifier, *placed.key, moment, image.page_url, *size, *content)
            if await connection.fetchval(_sql.insert_screenshot, *values) is not None:
                await connection.execute(_sql.set_ref, *_identity(placed.batch), identifier)
                return identifier
        raise ValueError(f"no id left for a screenshot at {moment}: too many of one minute")

    async def _write_sessions(
        self, connection: Connection, new: list[Placed], claim: _Claim
    ) -> dict[SessionKey, tuple[bool, datetime]]:
        """Creates or changes the sessions; returns whether each was created, and when it began."""
        if not new:
            return {}
        batches = [placed.batch for placed in new]
        secret = new_fields(batches, claim.secret_fields)
        changes = session_changes.changes(new, secret)
        rows = await connection.fetch(
            _sql.upsert_sessions, self._node.number, session_changes.encode(changes), MOST_FIELDS
        )
        await _label_events(connection, new, claim.bots, rows)
        recorded = [row for row in rows if row["recorded"]]
        if recorded:
            await _delete_repeated_kinds(connection, new, changes, recorded)
        if any(batch.has_open_values for batch in batches):
            found = {(row["project_id"], row["session_id"]): frozenset(row["masked_fields"] or ()) for row in rows}
            if any(placed.open_among(found[placed.key]) for placed in new):
                # Another process stored it since this group read: the group is written again, and masks it.
                raise asyncpg.SerializationError("a field of a session turned out to be secret meanwhile")
        if secret:
            created = {(row["project_id"], row["session_id"]) for row in rows if row["created"]}
            typed = {(row["project_id"], row["session_id"]) for row in rows if row["has_typed"]}
            await mask_stored(connection, batches, secret, created, typed)
        return {(row["project_id"], row["session_id"]): (row["created"], row["started_at"]) for row in rows}


async def _label_events(
    connection: Connection, new: list[Placed], bots: dict[SessionKey, bool], rows: Sequence[asyncpg.Record]
) -> None:
    """Labels the events of sessions whose label changed, or was another one when another process stored it first."""
    written = {placed.key for placed in new if placed.event_rows}
    for row in rows:
        key, label = (row["project_id"], row["session_id"]), row["is_bot"]
        if row["was_bot"] not in (None, label) or (key in written and bots[key] != label):
            await allow_bulk_changes(connection)
            await connection.execute(_sql.label_events, *key, label)


def _labels(claimed: Sequence[asyncpg.Record], new: Sequence[Placed]) -> dict[SessionKey, bool]:
    """Whether each session of a group is a bot: `upsert_sessions` labels it by the first user agent that it has."""
    labels = {(row[0], row[1]): row["is_bot"] for row in claimed if row["has_agent"]}
    named = set(labels)
    for placed in new:
        if placed.key not in named:
            labels[placed.key] = placed.batch.session.bot_reason is not None
            if placed.batch.session.user_agent:
                named.add(placed.key)
    return labels


async def _known_recordings(
    connection: Connection, new: list[Placed]
) -> dict[SessionKey, tuple[str | None, frozenset[str]]]:
    """Of sessions that record: the last page of the recording, and the kinds that their own events count."""
    keys = {placed.key for placed in new if placed.batch.recording is not None}
    if not keys:
        return {}
    known: dict[SessionKey, tuple[str | None, frozenset[str]]] = dict.fromkeys(keys, (None, _NOTHING))
    for row in await connection.fetch(_sql.find_native_kinds, *zip(*keys, strict=True)):
        known[row[0], row[1]] = (row[2], counted_kinds(row[3]))
    return known


async def _delete_repeated_kinds(
    connection: Connection,
    new: list[Placed],
    changes: list[session_changes.SessionChange],
    rows: Sequence[asyncpg.Record],
) -> None:
    """Deletes events found in recordings, of kinds that the sessions' own events turned out to count."""
    written: dict[SessionKey, frozenset[str]] = {}
    for placed in new:
        if placed.found_kinds:
            written[placed.key] = written.get(placed.key, _NOTHING) | placed.found_kinds
    given = {(change.project_id, change.session_id): change.native.by_kind() for change in changes}
    for row in rows:
        key = (row["project_id"], row["session_id"])
        # Kinds first counted by this group, or by another process while this one wrote what it found.
        first = {kind for kind, now, all_ in zip(KINDS, given[key], row["native"], strict=True) if 0 < now == all_}
        repeated = counted_kinds(row["native"]) & (
            (first & counted_kinds(row["recorded"])) | written.get(key, _NOTHING)
        )
        if repeated:
            await connection.execute(_sql.delete_repeated_kinds, *key, sorted(repeated))


async def _find_repeated(
    connection: Connection, repeats: Sequence[Placed]
) -> dict[Identity, tuple[bytes | None, int | None]]:
    """What is stored of these batches: the digest of a named one, and the id of a screenshot."""
    identities = {_identity(placed.batch) for placed in repeats}
    rows = await connection.fetch(_sql.find_repeated, *zip(*identities, strict=True))
    return {(row["project_id"], row["session_id"], row["batch_id"]): (row["digest"], row["ref"]) for row in rows}


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
    # Never cut off: PostgreSQL has committed, and perhaps waits for a standby. Senders wait no longer than they may.
    await connection.execute("commit", timeout=_NEVER)


def _identity(batch: Batch) -> Identity:
    assert batch.identity is not None  # noqa: S101 — callers pass batches that have one
    return batch.project_id, batch.session_id, batch.identity
