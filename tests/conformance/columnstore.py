"""Runs the compression policy of a test's database, as its background worker would."""

from tracker_backend.storage.database import Database

POLICY = "select job_id from timescaledb_information.jobs where proc_name = 'policy_compression'"


async def compress(database: Database) -> set[str]:
    """Compresses what is due and returns the days, such as `2026-11-11`, that are in the columnstore now."""
    job = await database.pool.fetchval(POLICY)
    async with database.maintained.pool.acquire() as connection:
        await connection.execute(f"call run_job({job})")
    rows = await database.pool.fetch(
        "select range_start from timescaledb_information.chunks"
        " where hypertable_schema = 'tracker' and hypertable_name = 'events' and is_compressed"
    )
    return {f"{row[0]:%Y-%m-%d}" for row in rows}
