"""The command `import`: looks at all files first, then stores what they hold through the steps of ingest."""

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
from tracker_backend.http.ingest_request import session_key
from tracker_backend.importing.batches import Batcher, Piece, Plan
from tracker_backend.importing.files import Told, by_session, read_file, refuse
from tracker_backend.importing.inspection import Found, survey
from tracker_backend.importing.items import Kind
from tracker_backend.ingest.batch import Batch, Drop, Outcome
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.ingest.screenshot import check_image
from tracker_backend.ingest.wire import ScreenshotRequest
from tracker_backend.privacy import tombstones
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.keyed_hash import mark
from tracker_backend.storage.sql import load
from tracker_backend.times import DAY, HOUR, to_datetime

_PATIENCE_SECONDS = 3600  # nobody waits at the other end
_sql = load(__file__, "run")


class Imported(Struct, omit_defaults=True):
    """A session of a file, and how much of it was stored now."""

    file: str
    session_id: UUID
    stored: int
    """Events and screenshots."""
    repeated: int
    """Those that an import of the same file had stored before."""
    moved_days: int | None = None
    left_out: list[str] | None = None
    """Members of the file's object that are neither events nor fit into a session's metadata."""


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
    """Stores the sessions of these files; Invalid, before anything is stored, for what cannot be.

    Each batch is stored once, however often it is imported, also after an import that was cut off. With `erased` what
    was erased comes back: it may be sent again too from then on.
    """
    size = sum(_size(path) for path in paths)
    with tqdm(total=2 * size, unit="B", unit_scale=True, file=sys.stderr, disable=not progress) as bar:
        bar.set_description("checking")
        now = time.time_ns() // 1000
        found = [
            await asyncio.to_thread(survey, path, settings.max_recording, database.store.secret, bar.update)
            for path in paths
        ]
        sessions = [each for file in found for each in file if not each.is_empty]
        moved = _days_to_move(sessions, now) if shift else 0
        _check_times(settings, sessions, now, moved)
        if session is not None:
            _check_one_session(found)
        masking = (await projects.get_settings(database.pool, project_id))[0].masking
        project = ProjectSettings(masking=masking)  # an import is not sampled
        plans = [[_plan(project_id, each, session, moved, project) for each in file] for file in found]
        await _check_erased(database, [plan for file in plans for plan in file], allowed=erased)
        await _make_days(settings, database, plans, now)
        bar.set_description("storing")
        return await _Import(settings, database, now).store(paths, plans, bar.update)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error


def _days_to_move(sessions: list[Found], now: int) -> int:
    """Whole days, so that the newest row is of the last 24 hours: times of day stay, and an import that is repeated on
    the same day moves as far.
    """
    return (now - max(each.newest for each in sessions)) // DAY


def _check_times(settings: Settings, sessions: list[Found], now: int, moved_days: int) -> None:
    for each in sessions:
        oldest, newest = each.oldest + moved_days * DAY, each.newest + moved_days * DAY
        kept = f"rows are kept for {settings.retention_days} days (TRACKER_RETENTION_DAYS)"
        if oldest < now - settings.retention_days * DAY:
            days = (now - oldest) // DAY
            what = (
                f"this session begins {days} days before the newest of this import, and {kept}: import fewer at once"
                if moved_days
                else f"this session goes back to {_date(oldest)}, {days} days ago, and {kept}: give --shift, which"
                " moves everything by whole days until the newest is of the last 24 hours, or keep rows for longer"
            )
            raise refuse(each.path, each.at, what)
        if newest > now + settings.future_hours * HOUR:
            raise refuse(
                each.path,
                each.at,
                f"this session goes on to {_date(newest)}, more than {settings.future_hours} hours from now"
                " (TRACKER_FUTURE_HOURS): give --shift, which moves everything by whole days",
            )


def _date(moment: int) -> str:
    try:
        return f"{to_datetime(moment):%Y-%m-%d}"
    except OverflowError:
        return f"{moment // 1_000_000} s after 1970"


def _plan(project_id: int, found: Found, session: str | None, moved_days: int, project: ProjectSettings) -> Plan:
    header = found.header
    text = session or found.client_id
    if text is None and header is not None and header.session_id is not None:
        text = header.client_session_id or str(header.session_id)
    is_whole = session is None and (header is not None or found.client_id is None)
    content = str(UUID(bytes=found.hash.digest(), version=5)) if text is None else text
    try:
        session_id, client_id = session_key(project_id, content)
    except Invalid as error:
        raise refuse(found.path, found.at, error.detail.rstrip(".")) from error
    fields = msgspec.structs.replace(found.fields, client_session_id=client_id)
    if found.more:
        fields.metadata = msgspec.json.encode(found.more)
    return Plan(found, project_id, session_id, fields, moved_days * DAY, is_whole, project)


def _check_one_session(found: list[list[Found]]) -> None:
    """Several files may hold pieces of one session; a file that names several is no piece."""
    for file in found:
        names = {each.client_id or (each.header and each.header.session_id) for each in file if not each.is_empty}
        if len(names) > 1:
            raise Invalid(f"{file[0].path} holds {len(names)} sessions, and --session names one: leave it out.")


async def _make_days(settings: Settings, database: Database, plans: list[list[Plan]], now: int) -> None:
    """Makes the chunks or partitions of days before the late window, as a server with a longer one would."""
    oldest = min(plan.found.oldest + plan.shift for file in plans for plan in file if not plan.found.is_empty)
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
    """Invalid for a session or user that was erased; with `allowed` that is undone."""
    secret, pool = database.maintained.secret, database.maintained.pool
    marks: dict[bytes, tuple[Plan, str]] = {}
    for plan in plans:
        user_id, session_id = plan.fields.user_id, str(plan.session_id)
        if user_id is not None:
            marks[mark(secret, plan.project_id, "user", user_id)] = (plan, f"the user of session {session_id}")
        marks[mark(secret, plan.project_id, "session", session_id)] = (plan, f"session {session_id}")
    standing = await tombstones.standing(pool, list(marks))
    if allowed:
        await tombstones.lift(pool, list(standing))
        return
    for each, (plan, what) in marks.items():
        if each in standing:
            raise refuse(
                plan.found.path, plan.found.at, f"{what} was erased: give --erased to store what is in the file again"
            )


class _Import:
    def __init__(self, settings: Settings, database: Database, now: int) -> None:
        self._settings = settings
        self._pool = database.maintained.pool
        self._now = now
        # An export tells offsets down to a second: they were found with whatever skew was allowed then.
        patient = msgspec.structs.replace(settings, request_timeout=_PATIENCE_SECONDS, clock_skew=1)
        self._pipeline = Pipeline(patient, database.maintained)
        self._begun: set[int] = set()

    async def store(self, paths: Sequence[Path], plans: list[list[Plan]], told: Told) -> list[Imported]:
        """Stores all files one after the other."""
        self._pipeline.writer.start()
        try:
            return [
                line for path, file in zip(paths, plans, strict=True) for line in await self._file(path, file, told)
            ]
        finally:
            await self._pipeline.writer.stop()

    async def _file(self, path: Path, plans: list[Plan], told: Told) -> list[Imported]:
        lines = {id(plan): _line(plan) for plan in plans if not plan.found.is_empty}
        pieces = _pieces(path, plans, told)
        # In a thread: it reads, inflates and packs, and this process's lease is renewed meanwhile.
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            line = lines[id(piece.plan)]
            if (await self._piece(piece)).repeated:
                line.repeated += piece.items
            else:
                line.stored += piece.items
        for plan in plans:
            if not plan.found.is_empty:
                await self._begin(plan)
                if (end := plan.end()) is not None:
                    await self._submit(end, plan)
        return list(lines.values())

    async def _piece(self, piece: Piece) -> Outcome:
        plan, batch = piece.plan, piece.batch
        try:
            if piece.shot is not None:
                sent = ScreenshotRequest(plan.session_id, piece.shot.page_url, 0, piece.shot.image_data)
                batch.image = await check_image(sent, self._settings)
                batch.size = len(batch.image.data) + len(batch.image.thumbnail)
            prepared = await self._prepare(batch, plan)
            if id(plan) not in self._begun:
                await self._check_is_new(plan, prepared)
                await self._begin(plan)
            return await self._store(prepared)
        except Unavailable as error:
            raise Unavailable(f"{error.detail.rstrip('.')} (the same import goes on where it stopped).") from error
        except TrackerError as error:
            raise refuse(plan.found.path, piece.at, error.detail.rstrip(".")) from error

    async def _check_is_new(self, plan: Plan, batch: Batch) -> None:
        row = await self._pool.fetchrow(_sql.stored, plan.project_id, plan.session_id, batch.identity)
        assert row is not None  # noqa: S101 — it has no condition
        if plan.is_whole and row[0] and not row[1]:
            raise Invalid(
                f"session {plan.session_id} is stored already, and not by an import of this file within"
                f" {self._settings.batch_days} days: delete it first, or give another one with --session"
            )

    async def _begin(self, plan: Plan) -> None:
        if id(plan) not in self._begun:
            self._begun.add(id(plan))
            await self._submit(plan.start(self._now), plan)

    async def _submit(self, batch: Batch, plan: Plan) -> Outcome:
        return await self._store(await self._prepare(batch, plan))

    async def _prepare(self, batch: Batch, plan: Plan) -> Batch:
        prepared = await self._pipeline.prepare(batch)
        assert not isinstance(prepared, Drop)  # noqa: S101 — an import has no privacy signal and is not sampled
        # There was no request with a user agent: what the file says of browser and bot is all that is known.
        for name in ("browser", "os", "device_type", "bot_reason"):
            setattr(prepared.session, name, getattr(plan.fields, name))
        return prepared

    async def _store(self, batch: Batch) -> Outcome:
        outcome = await self._pipeline.store(batch)
        if outcome.dropped is not None:
            raise Invalid(f"session {batch.session_id} was erased while it was imported")
        return outcome


def _line(plan: Plan) -> Imported:
    days = plan.shift // DAY
    return Imported(str(plan.found.path), plan.session_id, 0, 0, days or None, plan.found.left_out or None)


def _pieces(path: Path, plans: list[Plan], told: Told) -> Iterator[Piece]:
    """The pieces of a file. Those of a session are in their order; those of several may alternate."""
    batchers: dict[int, Batcher] = {}
    current = -1
    for number, item in by_session(read_file(path, told)):
        if item.kind in (Kind.BEGIN, Kind.MEMBER):
            continue
        if number >= len(plans):
            raise Invalid(f"{path} changed while it was read: import it again.")
        if number != current and current in batchers:
            yield from batchers[current].finish()
        current = number
        if number not in batchers:
            batchers[number] = Batcher(plans[number])
        yield from batchers[number].add(item)
    if current in batchers:
        yield from batchers[current].finish()
