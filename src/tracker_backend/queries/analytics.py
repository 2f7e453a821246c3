"""Hourly numbers for analysts."""

from datetime import UTC, datetime, timedelta

from msgspec import Struct

from tracker_backend.errors import Invalid
from tracker_backend.ingest.steps import split_page
from tracker_backend.queries.filters import Where
from tracker_backend.storage.pool import Pool

GROUPS = ("bucket", "event_type", "page_host", "page_path")
MAX_ROWS = 50_000


class HourlyRow(Struct, frozen=True, omit_defaults=True):
    """Events of an hour. What was not grouped by is missing."""

    count: int
    bucket: datetime | None = None
    event_type: str | None = None
    page_host: str | None = None
    page_path: str | None = None


class Hourly(Struct, frozen=True):
    """Rows in order of their groups."""

    data: list[HourlyRow]


async def list_hours(
    pool: Pool,
    project_id: int,
    *,
    time_from: datetime | None = None,
    time_to: datetime | None = None,
    event_type: str | None = None,
    page_url: str | None = None,
    group_by: list[str] | None = None,
) -> Hourly:
    """Counts of events by hour, type and page, of the last 7 days unless told; at most 50,000 rows."""
    groups = [name for name in GROUPS if not group_by or name in group_by]
    unknown = sorted(set(group_by or ()) - set(GROUPS))
    if unknown:
        raise Invalid(f"`group_by` is {', '.join(unknown)}: use any of {', '.join(GROUPS)}.")
    where = Where(project_id=project_id)
    where.add("bucket >= ?", time_from or datetime.now(UTC) - timedelta(days=7))
    where.add_if("bucket < ?", time_to).add_if("event_type = ?", event_type)
    if page_url is not None:
        host, path = split_page(page_url)
        if host or not page_url.startswith("/"):
            where.add("page_host = ?", host or page_url.lower())
        if host or page_url.startswith("/"):
            where.add("page_path = ?", path)
    columns = ", ".join(groups)
    rows = await pool.fetch(
        f"select sum(count)::bigint as count, {columns} from tracker.events_hourly where {where}"
        f" group by {columns} order by {columns} limit {where.parameter(MAX_ROWS + 1)}",
        *where.values,
    )
    if len(rows) > MAX_ROWS:
        raise Invalid(
            f"more than {MAX_ROWS} rows: shorten the time from `from` to `to`, or leave something out of `group_by`."
        )
    return Hourly([HourlyRow(**dict(row.items())) for row in rows])
