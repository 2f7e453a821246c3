"""Sessions: one, and lists of them by filter, order and page."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tracker_backend.errors import Invalid
from tracker_backend.queries.filters import Where, contains, decode_cursor, encode_cursor
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.session_bounds import session_not_found
from tracker_backend.storage.sql import columns_of, load

EXACT_TOTAL = 10_000
SORTS = (
    "started_at",
    "last_activity_at",
    "duration_seconds",
    "event_count",
    "click_count",
    "error_count",
    "page_count",
)
_TIMES = ("started_at", "last_activity_at")
_sql = load(__file__, "sessions")


class Session(Struct, frozen=True):
    """A session. Times are UTC. The plain counters are those to show; by source they stand below."""

    session_id: UUID
    client_session_id: str | None
    user_id: str | None
    user_email: str | None
    fingerprint: str | None
    started_at: datetime
    ended_at: datetime | None
    last_activity_at: datetime
    first_at: datetime | None
    last_at: datetime | None
    duration_seconds: float
    is_active: bool
    page_url: str | None
    referrer: str | None
    user_agent: str | None
    screen_width: int | None
    screen_height: int | None
    viewport_width: int | None
    viewport_height: int | None
    device_type: str | None
    browser: str | None
    os: str | None
    language: str | None
    app_id: str | None
    ticket_id: str | None
    metadata: Raw
    event_count: int
    click_count: int
    error_count: int
    page_count: int
    rage_click_count: int
    screenshot_count: int
    native_event_count: int
    native_click_count: int
    native_error_count: int
    native_page_count: int
    native_rage_click_count: int
    rrweb_event_count: int
    rrweb_click_count: int
    rrweb_error_count: int
    rrweb_page_count: int
    rrweb_rage_click_count: int
    recorded_event_count: int
    last_page_url: str | None
    client_stats: Raw | None
    has_recording: bool
    is_bot: bool
    bot_reason: str | None
    client_address: str | None
    clock_offset_ms: int | None
    ttl_hours: int | None
    expires_at: datetime | None

    @property
    def began_at(self) -> datetime:
        """The earliest known time. A start that came late widens the session but does not move it in its hour:
        `started_at` stays.
        """
        return min(self.started_at, self.first_at or self.started_at)

    @property
    def client_text(self) -> str:
        """The id as its client sent it."""
        return self.client_session_id or str(self.session_id)


_COLUMNS = columns_of(Session, is_active="(ended_at is null and last_activity_at > now() - interval '5 minutes')")


class SessionPage(Struct, frozen=True, omit_defaults=True):
    """A page of a list. `total_estimated` is there, and true, where `total` is not exact."""

    data: list[Session]
    total: int
    limit: int
    offset: int
    total_estimated: bool = False
    next_cursor: str | None = None


class SessionFilter(Struct, frozen=True):
    """Which sessions; None is any."""

    started_from: datetime | None = None
    started_to: datetime | None = None
    user_id: str | None = None
    page_url: str | None = None
    device_type: str | None = None
    browser: str | None = None
    os: str | None = None
    has_errors: bool | None = None
    min_duration: float | None = None
    app_id: str | None = None
    ticket_id: str | None = None
    device_types: list[str] | None = None


async def get_session(pool: Pool, project_id: int, session_id: UUID) -> Session:
    """The session, or NotFound."""
    where = Where(project_id=project_id, session_id=session_id)
    row = await pool.fetchrow(f"select {_COLUMNS} from tracker.sessions where {where}", *where.values)
    if row is None:
        raise session_not_found(session_id)
    return Session(*row)


async def page_of(pool: Pool, project_id: int, session_id: UUID) -> str | None:
    """The page that a session began on; None when it is unknown."""
    return await pool.fetchval(_sql.page_of, project_id, session_id)


async def last_page_of(pool: Pool, project_id: int, session_id: UUID) -> str | None:
    """The page that a session was last known to be on; None when it is unknown."""
    return await pool.fetchval(_sql.last_page_of, project_id, session_id)


async def count_activity(pool: Pool) -> tuple[int, int]:
    """Sessions active now and events of the last minute, of all projects."""
    row = await pool.fetchrow(_sql.activity)
    return (row[0], row[1]) if row else (0, 0)


async def list_sessions(
    pool: Pool,
    project_id: int,
    wanted: SessionFilter,
    *,
    sort: str = "-started_at",
    limit: int = 20,
    offset: int = 0,
    cursor: str | None = None,
) -> SessionPage:
    """A page of sessions. A `cursor` goes on where the page before ended, whatever came meanwhile."""
    column = sort.removeprefix("-")
    if column not in SORTS:
        raise Invalid(f"`sort` is {sort!r}: use one of {', '.join(SORTS)}, with - in front for the largest first.")
    where = _where(project_id, wanted)
    total, is_estimate = await _total(pool, project_id, wanted, where)
    page = where.copy()
    direction, operator = ("desc", "<") if sort.startswith("-") else ("asc", ">")
    if cursor is not None:
        offset = 0
        kind = tuple[str, datetime, UUID] if column in _TIMES else tuple[str, float, UUID]
        of, value, session_id = decode_cursor(cursor, kind)
        if of != sort:
            raise Invalid(f"this `cursor` belongs to `sort={of}`.")
        page.add(f"({column}, session_id) {operator} (?, ?)", value, session_id)
    rows = await pool.fetch(
        f"select {_COLUMNS} from tracker.sessions where {page}"
        f" order by {column} {direction}, session_id {direction}"
        f" limit {page.parameter(limit + 1)} offset {page.parameter(offset)}",
        *page.values,
    )
    sessions = [Session(*row) for row in rows[:limit]]
    more: str | None = None
    if len(rows) > limit:
        last = sessions[-1]
        more = encode_cursor(sort, getattr(last, column), last.session_id)
    return SessionPage(sessions, total, limit, offset, is_estimate, more)


def _where(project_id: int, wanted: SessionFilter) -> Where:
    where = Where(project_id=project_id)
    where.add_if("started_at >= ?", wanted.started_from)
    where.add_if("started_at < ?", wanted.started_to)
    where.add_if("user_id = ?", wanted.user_id)
    where.add_if("page_url ilike ?", None if wanted.page_url is None else contains(wanted.page_url))
    where.add_if("device_type = ?", wanted.device_type)
    where.add_if("browser = ?", wanted.browser)
    where.add_if("os = ?", wanted.os)
    where.add_if("(error_count > 0) = ?", wanted.has_errors)
    where.add_if("duration_seconds >= ?", wanted.min_duration)
    where.add_if("app_id = ?", wanted.app_id)
    where.add_if("ticket_id = ?", wanted.ticket_id)
    where.add_if("device_type = any(?)", wanted.device_types)
    return where


async def _total(pool: Pool, project_id: int, wanted: SessionFilter, where: Where) -> tuple[int, bool]:
    """How many there are, and whether that is an estimate: without a filter from kept counts, with one counted to
    10,000 (counting a million takes 0.1 s) and estimated by the planner beyond.
    """
    if wanted == SessionFilter():
        return await pool.fetchval(_sql.total, project_id), False
    counted = await pool.fetchval(
        f"select count(*) from (select from tracker.sessions where {where} limit {EXACT_TOTAL + 1}) counted",
        *where.values,
    )
    if counted <= EXACT_TOTAL:
        return counted, False
    plan: Any = await pool.fetchval(f"explain (format json) select from tracker.sessions where {where}", *where.values)
    estimate = int(msgspec.json.decode(plan)[0]["Plan"]["Plan Rows"])
    return max(counted, estimate), True
