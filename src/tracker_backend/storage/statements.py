"""Helpers for statements that change many rows."""

from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load

_sql = load(__file__, "statements")


def rows_affected(command_tag: str) -> int:
    """Return the number of rows in the command tag of a statement: 3 for `DELETE 3`."""
    return int(command_tag.rpartition(" ")[2])


async def allow_bulk_changes(connection: Connection) -> None:
    """Let this transaction change any number of compressed rows."""
    await connection.execute(_sql.allow_bulk_changes)
