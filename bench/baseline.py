"""The baseline: the same rows into the same table by binary COPY, with nothing else around it."""

import time
from typing import Any

from tracker_backend.accounts.project_settings import ProjectSettings
from tracker_backend.ingest.batch import Batch, SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.ingest.rows import EVENT_COLUMNS
from tracker_backend.ingest.wire import decode_track
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.pool import connect

ROWS = 1000  # a COPY; more gain nothing


def rows_of(bodies: list[bytes], database: Database, settings: Settings) -> list[tuple[Any, ...]]:
    """The rows that the server would store for these requests."""
    pipeline = Pipeline(settings, database.store)
    rows: list[tuple[Any, ...]] = []
    for body in bodies:
        sent = decode_track(body)
        batch = Batch(
            project_id=1,
            session_id=sent.session_id,
            received_at=time.time_ns() // 1000,
            size=len(body),
            session=SessionFields(),
            project=ProjectSettings(),
            events=sent.events,
            name=sent.batch_id,
        )
        prepared = pipeline.run_steps(batch)
        assert isinstance(prepared, Batch)
        rows += pipeline.place(prepared).event_rows
    return rows


async def copy_rows(settings: Settings, dsn: str, rows: list[tuple[Any, ...]]) -> float:
    """Seconds to write the rows, 1,000 in a COPY."""
    connection = await connect(settings, dsn)
    try:
        started = time.perf_counter()
        for first in range(0, len(rows), ROWS):
            await connection.copy_records_to_table(
                "events", schema_name="tracker", records=rows[first : first + ROWS], columns=EVENT_COLUMNS
            )
        return time.perf_counter() - started
    finally:
        await connection.close()
