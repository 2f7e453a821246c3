"""What the load of events is: requests of the mix, and the emptied tables that they go into."""

from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import msgspec

from bench import mix

CONNECTIONS = 32
SESSIONS = 200
SIZES = (1, 50, 100)


def bodies(events_per_request: int, total: int) -> list[bytes]:
    """Requests of the mix, each a named batch of one of 200 sessions, as the tracker sends them."""
    made = mix.events(SESSIONS, -(-total // SESSIONS), datetime.now(UTC), seed=1)[:total]
    sessions = [str(uuid4()) for _ in range(SESSIONS)]
    return [
        msgspec.json.encode(
            {
                "session_id": sessions[number % SESSIONS],
                "batch_id": str(uuid4()),
                "events": made[first : first + events_per_request],
            }
        )
        for number, first in enumerate(range(0, total, events_per_request))
    ]


async def empty(dsn: str) -> None:
    """Empties what batches of events fill."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "truncate tracker.events, tracker.sessions, tracker.ingest_batches, tracker.session_totals"
    )
    await connection.close()
