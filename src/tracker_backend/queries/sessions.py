"""Sessions: one, and lists by filter, sort order and page."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Raw, Struct

from tracker_backend.errors import Invalid
from tracker_backend.queries.filters import Where, decode_cursor, encode_cursor
from tracker_backend.queries.session_filters import FilterValues, add_filters
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
    """A session. Times are UTC.

    `click_count` and the other counters without a source are those to show. Those of sent events (`native_…`) and of
    events found in the recording (`rrweb_…`) may count the same click twice.
    """

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
    def client_text(self) -> str:
        """The id as the client sent it."""
        return self.client_session_id or str(self.session_id)


_COLUMNS = columns_of(Session, is_active="(ended_at is null and last_activity_at > now() - interval '5 minutes')")


class SessionPage(Struct, frozen=True, omit_defaults=True):
    """A page of sessions. `total_estimated` is true where `total` is not exact, else it is left out."""

    data: list[Session]
    total: int
    limit: int
    offset: int
    total_estimated: bool = False
    next_cursor: str | None = None


async def get_session(pool: Pool, project_id: int, session_id: UUID) -> Session:
    """A session. Raises NotFound."""
    where = Where(project_id=project_id, session_id=session_id)
    row = await pool.fetchrow(f"select {_COLUMNS} from tracker.sessions where {where}", *where.values)
    if row is None:
        raise session_not_found(session_id)
    return Session(*row)


async def get_first_page(pool: Pool, project_id: int, session_id: UUID) -> str | None:
    """The URL of a session's first page; None where it is unknown."""
    return await pool.fetchval(_sql.get_first_page, project_id, session_id)


async def get_last_page(pool: Pool, project_id: int, session_id: UUID) -> str | None:
    """The URL of a session's last known page; None where it is unknown."""
    return await pool.fetchval(_sql.get_last_page, project_id, session_id)


async def count_activity(pool: Pool) -> tuple[int, int]:
    """How many sessions of all projects are active now, and how many events were stored in the last minute."""
    row = await pool.fetchrow(_sql.activity)
    return (row[0], row[1]) if row else (0, 0)


async def list_sessions(
    pool: Pool,
    project_id: int,
    filters: FilterValues,
    *,
    time_range: tuple[datetime, datetime] | None = None,
    sort: str = "-started_at",
    limit: int = 20,
    offset: int = 0,
    cursor: str | None = None,
) -> SessionPage:
    """A page of the sessions that pass all filters. With a `time_range` it holds those that began at its first time or
    later and before its second.

    With a `cursor` the page begins after the last session of the page before, also if others were stored in between.
    """
    column = sort.removeprefix("-")
    if column not in SORTS:
        raise Invalid(f"`sort` is {sort!r}: use one of {', '.join(SORTS)}, with - in front for the largest first.")
    where = Where(project_id=project_id)
    is_filtered = add_filters(where, filters)
    if time_range is not None:
        where.add("started_at >= ?", time_range[0]).add("started_at < ?", time_range[1])
        is_filtered = True
    total, is_estimate = await _count(pool, where) if is_filtered else (await _count_all(pool, project_id), False)
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


async def _count_all(pool: Pool, project_id: int) -> int:
    """How many sessions a project has, from the counts that writers keep: counting a million takes 0.1 s."""
    return await pool.fetchval(_sql.total, project_id)


async def _count(pool: Pool, where: Where) -> tuple[int, bool]:
    """How many sessions pass a filter, and whether that is an estimate: exact up to 10,000, beyond it the planner's."""
    counted = await pool.fetchval(
        f"select count(*) from (select from tracker.sessions where {where} limit {EXACT_TOTAL + 1}) counted",
        *where.values,
    )
    if counted <= EXACT_TOTAL:
        return counted, False
    plan: Any = await pool.fetchval(f"explain (format json) select from tracker.sessions where {where}", *where.values)
    estimate = int(msgspec.json.decode(plan)[0]["Plan"]["Plan Rows"])
    return max(counted, estimate), True
