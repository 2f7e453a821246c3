"""Time zones: the one in which a project's days begin, and the check of a name."""

import re

from tracker_backend.errors import Invalid
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

# PostgreSQL also accepts offsets, with the opposite sign (+02:00 and UTC+2 are west): only names are passed on. Of the
# names of the IANA list without a slash, these seven have digits.
_NAME = re.compile(
    r"[A-Z_-]+|[A-Z_-]+/[A-Z0-9_+-]+(?:/[A-Z0-9_+-]+)?|EST5EDT|CST6CDT|MST7MDT|PST8PDT|GMT[+-]?0",
    re.ASCII | re.IGNORECASE,
)
_sql = load(__file__, "time_zones")


async def choose_time_zone(pool: Pool, project_id: int, requested: str | None) -> str:
    """The name of the requested time zone, else that of the project, else UTC.

    Raises Invalid for a text that cannot be a name. A name that PostgreSQL does not know makes the query that uses it
    raise InvalidParameterValueError: answer it with `invalid_time_zone`.
    """
    name: str = requested or await pool.fetchval(_sql.get_time_zone, project_id) or "UTC"
    name = name.replace(" ", "+")  # an unescaped + arrives as a space
    if not _NAME.fullmatch(name):
        raise invalid_time_zone(name)
    return name


async def is_time_zone(connection: Pool | Connection, name: str) -> bool:
    """Whether PostgreSQL knows a time zone of this name."""
    return _NAME.fullmatch(name) is not None and await connection.fetchval(_sql.is_time_zone, name)


def invalid_time_zone(name: str) -> Invalid:
    """The error for the parameter `tz` with an unknown time zone."""
    return Invalid(f"`tz` is {name!r}: give a name of the IANA list, such as Europe/Berlin or UTC.")
