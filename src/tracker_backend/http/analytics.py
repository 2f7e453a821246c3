"""Hourly and daily numbers as JSON or CSV."""

import csv
import io
from typing import Annotated, TypeVar

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from tracker_backend.http.caller import Caller
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.http.sessions import From, To
from tracker_backend.queries import analytics
from tracker_backend.queries.filters import time_parameter

_IsBot = Annotated[analytics.Bots, QueryParameter(description="Count people (false), bots (true) or both (any)")]


@get("/analytics/hourly", scope="read", summary="Count events by the hour", tags=["read"])
async def hourly(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    from_: From = None,
    to: To = None,
    event_type: FromQuery[str | None] = None,
    page_url: Annotated[
        str | None, QueryParameter(description="A URL, a host, or a path that begins with /; the query is ignored")
    ] = None,
    group_by: Annotated[
        str | None,
        QueryParameter(description="Comma-separated: bucket, event_type, page_host, page_path (these four), is_bot"),
    ] = None,
    is_bot: _IsBot = "false",
) -> Response[analytics.Hourly]:
    """Count events by hour, type and page: by default of people in the last 7 days. `Accept: text/csv` gives CSV.

    Of more than 50,000 rows the answer has those with the largest counts, and says `truncated`.
    """
    groups = [name.strip() for name in (group_by or "").split(",") if name.strip()] or None
    found = await analytics.list_hours(
        services.pool,
        caller.project_id,
        time_from=time_parameter(from_, "from"),
        time_to=time_parameter(to, "to"),
        event_type=event_type,
        page_url=page_url,
        group_by=groups,
        is_bot=is_bot,
    )
    return _answer(request, found, [*analytics.hourly_groups(groups), "count"])


@get("/analytics/daily", scope="read", summary="Count sessions by the day", tags=["read"])
async def daily(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    app_id: Annotated[str | None, QueryParameter(description="Only this app's")] = None,
    from_: Annotated[
        str | None, QueryParameter(name="from", description="A day, or a time; without a zone it is one of `tz`")
    ] = None,
    to: Annotated[str | None, QueryParameter(description="The same, not included")] = None,
    tz: Annotated[
        str | None, QueryParameter(description="Whose days: a name such as Europe/Berlin (the project's)")
    ] = None,
    is_bot: _IsBot = "false",
) -> Response[analytics.Daily]:
    """Count sessions by day and app: by default of people in the last 7 days. `Accept: text/csv` gives CSV.

    A session belongs to the day on which it began. Sessions that expired or were deleted are not counted. Of more than
    50,000 rows the answer has those with most sessions, and says `truncated`.
    """
    found = await analytics.list_days(
        services.pool,
        caller.project_id,
        app_id=app_id,
        time_from=analytics.day_parameter(from_, "from"),
        time_to=analytics.day_parameter(to, "to"),
        timezone=tz,
        is_bot=is_bot,
    )
    return _answer(request, found, list(analytics.DailyRow.__struct_fields__))


Numbers = TypeVar("Numbers", analytics.Hourly, analytics.Daily)


def _answer(request: AnyRequest, found: Numbers, columns: list[str]) -> Response[Numbers]:
    """The rows as the caller accepts them."""
    headers = {"X-Tracker-Truncated": "true"} if found.truncated else {}
    if "text/csv" not in request.headers.get("accept", ""):
        return Response(found, headers=headers)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in found.data:
        writer.writerow([_cell(getattr(row, name)) for name in columns])
    return Response(out.getvalue().encode(), media_type="text/csv", headers=headers)  # pyright: ignore[reportReturnType] — bytes go out as they are


def _cell(value: object) -> object:
    """A cell; a text that a spreadsheet would run as a formula gets an apostrophe (anyone can send such a text)."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return str(value).lower() if isinstance(value, bool) else msgspec.to_builtins(value)
