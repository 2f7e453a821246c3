"""Whether what the database has committed survives a crash of its machine."""

from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

_sql = load(__file__, "durability")


async def durability_warnings(database: Pool | Connection) -> list[str]:
    """A text for each setting of PostgreSQL by which a crash can lose or damage what was acknowledged; mostly none."""
    rows = await database.fetch(_sql.unsafe_settings)
    return [
        f"PostgreSQL's {row['name']} is off: a crash of its machine can lose or damage stored data. Set it to on."
        for row in rows
    ]
