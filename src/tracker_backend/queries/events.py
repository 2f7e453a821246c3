"""The events of a session, by time."""

from datetime import datetime
from uuid import UUID

from msgspec import Raw, Struct

from tracker_backend.queries.filters import Where, decode_cursor, encode_cursor
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.session_bounds import get_bounds
from tracker_backend.storage.sql import columns_of


class Event(Struct, frozen=True):
    """A stored event; `timestamp` is corrected by the session's clock offset."""

    event_id: int
    timestamp: datetime
    source: str
    event_type: str
    target_element: str | None
    target_selector: str | None
    target_tag: str | None
    target_id: str | None
    target_class: str | None
    page_url: str
    page_host: str
    page_path: str
    viewport_x: int | None
    viewport_y: int | None
    screen_x: int | None
    screen_y: int | None
    scroll_x: int | None
    scroll_y: int | None
    input_value: str | None
    input_masked: bool | None
    key_pressed: str | None
    mouse_button: int | None
    click_count: int | None
    event_data: Raw | None


_COLUMNS = columns_of(Event)


class EventPage(Struct, frozen=True, omit_defaults=True):
    """A page of events; `total` is the number of events that pass the filter."""

    data: list[Event]
    total: int
    next_cursor: str | None = None


async def list_events(
    pool: Pool,
    project_id: int,
    session_id: UUID,
    *,
    limit: int = 1000,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
    event_type: str | None = None,
    cursor: str | None = None,
) -> EventPage:
    """Events from `time_from` (included) to `time_to` (not included). Raises NotFound for an unknown session."""
    bounds = await get_bounds(pool, project_id, session_id)
    where = Where(project_id=project_id, session_id=session_id)
    where.add("timestamp >= ?", bounds.first).add("timestamp <= ?", bounds.last)
    total = bounds.events
    if time_from is not None or time_to is not None or event_type is not None:
        where.add_if("timestamp >= ?", time_from).add_if("timestamp < ?", time_to).add_if("event_type = ?", event_type)
        total = await pool.fetchval(f"select count(*) from tracker.events where {where}", *where.values)
    page = where.copy()
    if cursor is not None:
        page.add("(timestamp, event_id) > (?, ?)", *decode_cursor(cursor, tuple[datetime, int]))
    rows = await pool.fetch(
        f"select {_COLUMNS} from tracker.events where {page} order by timestamp, event_id"
        f" limit {page.parameter(limit + 1)}",
        *page.values,
    )
    events = [Event(*row) for row in rows[:limit]]
    more = encode_cursor(events[-1].timestamp, events[-1].event_id) if len(rows) > limit else None
    return EventPage(events, total, more)
