"""What those share who remove or change many rows."""

from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load

_sql = load(__file__, "statements")


def count_of(command_tag: str) -> int:
    """How many rows a statement touched, by what the server says of it: `DELETE 3`."""
    return int(command_tag.rpartition(" ")[2])


async def lift_limit(connection: Connection) -> None:
    """Lets this transaction change any number of compressed rows."""
    await connection.execute(_sql.lift_limit)
