"""Plain PostgreSQL: daily partitions, and `events_hourly` as a rollup table that the server maintains."""

from datetime import UTC, datetime, timedelta

from tracker_backend.storage import rollups
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.statements import rows_affected
from tracker_backend.storage.store import SERIES, Store
from tracker_backend.times import midnight_of

_sql = load(__file__, "partitions")
_DAY = timedelta(days=1)


class PlainStore(Store):
    """PostgreSQL 15 or newer without TimescaleDB, or with its Apache edition."""

    tier = "plain"

    async def versions(self) -> dict[str, str]:
        return {"postgresql": await self.pool.fetchval("show server_version")}

    async def apply_settings(self, connection: Connection) -> None:
        await self._make_ahead(connection)

    async def make_ahead(self) -> int:
        async with self.pool.acquire() as connection:
            return await self._make_ahead(connection)

    async def _make_ahead(self, connection: Connection) -> int:
        today = midnight_of(await connection.fetchval("select now()"))
        made = 0
        for offset in range(-self.settings.late_days - 1, self.settings.chunks_ahead_days + 1):
            for series in SERIES:
                made += await self._make(connection, series, today + offset * _DAY)
        return made

    @staticmethod
    async def _make(connection: Connection, series: str, day: datetime) -> int:
        """Create the partition of a day. Attaching a table locks the parent less than creating a partition."""
        name = f"{series}_{day:%Y%m%d}"
        async with connection.transaction():
            await connection.execute(_sql.lock_partitions)
            if await connection.fetchval("select to_regclass($1)", f"tracker.{name}") is not None:
                return 0
            await connection.execute(
                f"create table tracker.{name} (like tracker.{series} including defaults including storage);"
                f"alter table tracker.{name} enable row level security;"
                f"alter table tracker.{series} attach partition tracker.{name}"
                f" for values from ('{day:%Y-%m-%d}Z') to ('{day + _DAY:%Y-%m-%d}Z')"
            )
        return 1

    async def drop_expired(self) -> int:
        now: datetime = await self.pool.fetchval("select now()")
        limit = midnight_of(now - timedelta(days=self.settings.retention_days))
        await rollups.freeze_hours(self.pool, "events_hourly", limit)
        dropped = 0
        async with self.pool.acquire() as connection:
            for row in await connection.fetch(_sql.list_partitions, list(SERIES)):
                day = datetime.strptime(row["name"].rpartition("_")[2], "%Y%m%d").replace(tzinfo=UTC)
                if day >= limit and row["state"] == "attached":
                    continue
                # Outside a transaction, so that other days can be read and written. PostgreSQL allows one pending
                # detachment per table, so an interrupted one must be finalized first.
                if row["state"] != "detached":
                    how = "concurrently" if row["state"] == "attached" else "finalize"
                    await connection.execute(
                        f"alter table tracker.{row['series']} detach partition tracker.{row['name']} {how}"
                    )
                await connection.execute(f"drop table tracker.{row['name']}")
                dropped += 1
        return dropped

    async def drop_expired_hours(self, limit: datetime) -> int:
        return rows_affected(await self.pool.execute(_sql.drop_hours, limit))

    async def forget_hours(self, connection: Connection, project_id: int) -> None:
        await connection.execute(_sql.forget_hours, project_id)

    async def refresh_events_hourly(self) -> int:
        return await rollups.refresh(self.pool, "events_hourly")
