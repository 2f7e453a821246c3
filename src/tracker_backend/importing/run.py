"""The command `import`: inspects all files first, then stores their sessions through the steps of ingest."""

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import msgspec
from msgspec import Struct
from tqdm import tqdm

from tracker_backend.accounts import projects
from tracker_backend.accounts.project_settings import ProjectSettings
from tracker_backend.errors import Invalid, TrackerError, Unavailable
from tracker_backend.importing.batches import Batcher, ImportBatch, Plan
from tracker_backend.importing.elements import Kind
from tracker_backend.importing.files import OnProgress, by_session, invalid_at, read_file
from tracker_backend.importing.inspection import FileSession, inspect_file
from tracker_backend.ingest.batch import Batch, Drop, Outcome
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.privacy import tombstones
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.keyed_hash import keyed_hash
from tracker_backend.storage.sql import load
from tracker_backend.times import DAY, HOUR, to_datetime

_COMMIT_SECONDS = 3600  # no client waits for a commit
_sql = load(__file__, "run")


class Imported(Struct, omit_defaults=True):
    """A session of a file, and how much of it was stored."""

    file: str
    session_id: UUID
    stored: int
    """Events and screenshots that were stored now."""
    repeated: int
    """Events and screenshots that an earlier import of the same file has stored."""
    moved_days: int | None = None
    left_out: list[str] | None = None
    """Members of the file's object that do not fit into the session's metadata."""


async def import_files(
    settings: Settings,
    database: Database,
    project_id: int,
    paths: Sequence[Path],
    *,
    session: str | None = None,
    shift: bool = False,
    erased: bool = False,
    progress: bool = False,
) -> list[Imported]:
    """Store the sessions of these files. Raises Invalid, before anything is stored, if a file cannot be imported.

    Each batch is stored once, even if it is imported again or an import was interrupted. `session` is the id for all
    elements, `shift` moves all times by whole days up to now. With `erased`, sessions and visitors that were erased are
    stored, and clients may send data of them again.
    """
    size = sum(_size(path) for path in paths)
    with tqdm(total=2 * size, unit="B", unit_scale=True, file=sys.stderr, disable=not progress) as bar:
        bar.set_description("checking")
        now = time.time_ns() // 1000
        found = [
            await asyncio.to_thread(inspect_file, path, settings.max_recording, database.store.secret, bar.update)
            for path in paths
        ]
        sessions = [each for file in found for each in file if not each.is_empty]
        days = _days_to_shift(sessions, now) if shift else 0
        _check_times(settings, sessions, now, days)
        if session is not None:
            _check_one_session(found)
        masking = (await projects.get_settings(database.pool, project_id))[0].masking
        project = ProjectSettings(masking=masking)  # an import is not sampled
        plans = [[_plan(project_id, each, session, days, project) for each in file] for file in found]
        await _check_erased(database, [plan for file in plans for plan in file], allowed=erased)
        await _create_partitions(settings, database, plans, now)
        bar.set_description("storing")
        return await _Importer(settings, database, now).store(paths, plans, bar.update)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error


def _days_to_shift(sessions: list[FileSession], now: int) -> int:
    """Return by how many days to shift, so that the newest row is in the last 24 hours.

    Whole days keep the times of day, and a repeated import on the same day shifts as far.
    """
    return (now - max(each.newest for each in sessions)) // DAY


def _check_times(settings: Settings, sessions: list[FileSession], now: int, shift_days: int) -> None:
    for each in sessions:
        oldest, newest = each.oldest + shift_days * DAY, each.newest + shift_days * DAY
        kept = f"rows are kept for {settings.retention_days} days (TRACKER_RETENTION_DAYS)"
        if oldest < now - settings.retention_days * DAY:
            days = (now - oldest) // DAY
            what = (
                f"this session begins {days} days before the newest of this import, but {kept}: import fewer files"
                if shift_days
                else f"this session begins on {_date(oldest)}, {days} days ago, but {kept}: give --shift, which"
                " moves all times by whole days so that the newest is in the last 24 hours, or keep rows longer"
            )
            raise invalid_at(each.path, each.at, what)
        if newest > now + settings.future_hours * HOUR:
            raise invalid_at(
                each.path,
                each.at,
                f"this session ends on {_date(newest)}, more than {settings.future_hours} hours from now"
                " (TRACKER_FUTURE_HOURS): give --shift, which moves all times by whole days",
            )


def _date(moment: int) -> str:
    try:
        return f"{to_datetime(moment):%Y-%m-%d}"
    except OverflowError:
        return f"{moment // 1_000_000} s after 1970"


def _plan(project_id: int, found: FileSession, session: str | None, shift_days: int, project: ProjectSettings) -> Plan:
    header = found.header
    text = session or found.client_id
    if text is None and header is not None and header.session_id is not None:
        text = header.client_session_id or str(header.session_id)
    is_whole = session is None and (header is not None or found.client_id is None)
    content = str(UUID(bytes=found.hash.digest(), version=5)) if text is None else text
    try:
        session_id, client_id = session_key(project_id, content)
    except Invalid as error:
        raise invalid_at(found.path, found.at, error.detail.rstrip(".")) from error
    fields = msgspec.structs.replace(found.fields, client_session_id=client_id)
    if found.other_members:
        fields.metadata = msgspec.json.encode(found.other_members)
    return Plan(found, project_id, session_id, fields, shift_days * DAY, is_whole, project)


def _check_one_session(found: list[list[FileSession]]) -> None:
    """Raise Invalid for --session if a file has several sessions; several files may be parts of one session."""
    for file in found:
        names = {each.client_id or (each.header and each.header.session_id) for each in file if not each.is_empty}
        if len(names) > 1:
            raise Invalid(f"{file[0].path} holds {len(names)} sessions, but --session names one: omit the option.")


async def _create_partitions(settings: Settings, database: Database, plans: list[list[Plan]], now: int) -> None:
    """Create the chunks or partitions of days before the late window, as with a longer late window."""
    oldest = min(
        plan.file_session.oldest + plan.shift for file in plans for plan in file if not plan.file_session.is_empty
    )
    days = (now - oldest) // DAY + 1
    if days <= settings.late_days:
        return
    longer = msgspec.structs.replace(
        settings,
        late_days=days,
        compress_after_days=max(settings.compress_after_days, days),
        batch_days=max(settings.batch_days, days + -(-settings.future_hours // 24) + 1),
        retention_days=max(settings.retention_days, days + 2),
        hourly_retention_days=max(settings.hourly_retention_days, days + 3),
    )
    store = database.maintained
    await type(store)(longer, store.pool, store.node, store.secret).make_ahead()


async def _check_erased(database: Database, plans: list[Plan], *, allowed: bool) -> None:
    """Raise Invalid for an erased session or user. If `allowed`, remove their tombstones instead."""
    secret, pool = database.maintained.secret, database.maintained.pool
    hashes: dict[bytes, tuple[Plan, str]] = {}
    for plan in plans:
        user_id, session_id = plan.fields.user_id, str(plan.session_id)
        if user_id is not None:
            hashes[keyed_hash(secret, plan.project_id, "user", user_id)] = (plan, f"the user of session {session_id}")
        hashes[keyed_hash(secret, plan.project_id, "session", session_id)] = (plan, f"session {session_id}")
    erased = await tombstones.active(pool, list(hashes))
    if allowed:
        await tombstones.remove(pool, list(erased))
        return
    for each, (plan, what) in hashes.items():
        if each in erased:
            raise invalid_at(
                plan.file_session.path, plan.file_session.at, f"{what} was erased: give --erased to store it again"
            )


class _Importer:
    def __init__(self, settings: Settings, database: Database, now: int) -> None:
        self._settings = settings
        self._pool = database.maintained.pool
        self._now = now
        # Exported clock offsets are at least one second, whatever TRACKER_CLOCK_SKEW was at that time.
        import_settings = msgspec.structs.replace(settings, request_timeout=_COMMIT_SECONDS, clock_skew=1)
        self._pipeline = Pipeline(import_settings, database.maintained)
        self._started: set[int] = set()

    async def store(self, paths: Sequence[Path], plans: list[list[Plan]], on_progress: OnProgress) -> list[Imported]:
        """Store all files in order."""
        self._pipeline.writer.start()
        try:
            return [
                line
                for path, file in zip(paths, plans, strict=True)
                for line in await self._file(path, file, on_progress)
            ]
        finally:
            await self._pipeline.writer.stop()

    async def _file(self, path: Path, plans: list[Plan], on_progress: OnProgress) -> list[Imported]:
        lines = {id(plan): _empty_result(plan) for plan in plans if not plan.file_session.is_empty}
        parts = _import_batches(path, plans, on_progress)
        # In a thread, because it reads and inflates: the event loop must renew the lease meanwhile.
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            line = lines[id(part.plan)]
            if (await self._store_batch(part)).repeated:
                line.repeated += part.elements
            else:
                line.stored += part.elements
        for plan in plans:
            if not plan.file_session.is_empty:
                await self._start(plan)
                if (end := plan.end()) is not None:
                    await self._submit(end, plan)
        return list(lines.values())

    async def _store_batch(self, part: ImportBatch) -> Outcome:
        plan, batch = part.plan, part.batch
        try:
            if part.screenshot is not None:
                sent = ScreenshotRequest(plan.session_id, part.screenshot.page_url, 0, part.screenshot.image_data)
                batch.image = await check_image(sent, self._settings)
                batch.size = len(batch.image.data) + len(batch.image.thumbnail)
            prepared = await self._prepare(batch, plan)
            if id(plan) not in self._started:
                await self._check_is_new(plan, prepared)
                await self._start(plan)
            return await self._store(prepared)
        except Unavailable as error:
            raise Unavailable(
                f"{error.detail.rstrip('.')} (run the same import again: it continues where it stopped)."
            ) from error
        except TrackerError as error:
            raise invalid_at(plan.file_session.path, part.at, error.detail.rstrip(".")) from error

    async def _check_is_new(self, plan: Plan, batch: Batch) -> None:
        identities = [batch.identity, batch.former_identity]
        row = await self._pool.fetchrow(_sql.stored, plan.project_id, plan.session_id, identities)
        assert row is not None  # noqa: S101 — it has no condition
        if plan.is_whole and row[0] and not row[1]:
            raise Invalid(
                f"session {plan.session_id} is stored already, and not by an import of this file in the last"
                f" {self._settings.batch_days} days: delete it first, or give another id with --session"
            )

    async def _start(self, plan: Plan) -> None:
        if id(plan) not in self._started:
            self._started.add(id(plan))
            await self._submit(plan.start(self._now), plan)

    async def _submit(self, batch: Batch, plan: Plan) -> Outcome:
        return await self._store(await self._prepare(batch, plan))

    async def _prepare(self, batch: Batch, plan: Plan) -> Batch:
        prepared = await self._pipeline.prepare(batch)
        assert not isinstance(prepared, Drop)  # noqa: S101 — an import has no privacy signal and is not sampled
        # There is no user agent of a request: the browser and the bot reason of the file are kept.
        for name in ("browser", "os", "device_type", "bot_reason"):
            setattr(prepared.session, name, getattr(plan.fields, name))
        return prepared

    async def _store(self, batch: Batch) -> Outcome:
        outcome = await self._pipeline.store(batch)
        if outcome.dropped is not None:
            raise Invalid(f"session {batch.session_id} was erased during the import")
        return outcome


def _empty_result(plan: Plan) -> Imported:
    days = plan.shift // DAY
    return Imported(
        str(plan.file_session.path), plan.session_id, 0, 0, days or None, plan.file_session.left_out or None
    )


def _import_batches(path: Path, plans: list[Plan], on_progress: OnProgress) -> Iterator[ImportBatch]:
    """Yield the batches of a file. Those of one session are in order; those of several sessions may alternate."""
    batchers: dict[int, Batcher] = {}
    current = -1
    for number, element in by_session(read_file(path, on_progress)):
        if element.kind in (Kind.BEGIN, Kind.MEMBER):
            continue
        if number >= len(plans):
            raise Invalid(f"{path} changed during the import: import it again.")
        if number != current and current in batchers:
            yield from batchers[current].finish()
        current = number
        if number not in batchers:
            batchers[number] = Batcher(plans[number])
        yield from batchers[number].add(element)
    if current in batchers:
        yield from batchers[current].finish()
