"""Somebody else's open transaction, and who waits for it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from tests.conformance.hourly import until
from tracker_backend.storage.database import Database
from tracker_backend.storage.pool import Connection


@asynccontextmanager
async def blocking(database: Database, dsn: str, statement: str, *values: object) -> AsyncGenerator[Connection]:
    """Another connection that has done something in a transaction that is still open, and is rolled back at the end."""
    blocker = await asyncpg.connect(dsn)
    pid = blocker.get_server_pid()
    try:
        await blocker.execute("begin")
        await blocker.execute(statement, *values)
        yield blocker
    finally:
        await blocker.close()
        gone = "select not exists (select from pg_stat_activity where pid = $1)"
        await until(lambda: database.pool.fetchval(gone, pid))


async def until_waited_for(database: Database, blocker: Connection) -> int:
    """Returns when somebody waits for it: the number of the process that does."""
    waits = f"select min(pid) from pg_stat_activity where {blocker.get_server_pid()} = any(pg_blocking_pids(pid))"
    await until(lambda: database.pool.fetchval(waits))
    return await database.pool.fetchval(waits)
