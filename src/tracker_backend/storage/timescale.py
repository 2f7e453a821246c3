"""TimescaleDB Community: chunks, columnstore, policies, and `events_hourly` as a real-time continuous aggregate."""

from datetime import UTC, datetime, timedelta

import asyncpg

from tracker_backend.storage import rollups
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import SERIES, Store
from tracker_backend.times import midnight_of

_sql = load(__file__, "timescale")
_HOUR = timedelta(hours=1)
# A refresh commits after every ten hours and moves the watermark to the last hour it computed. With the default, newest
# first, the earlier hours would be missing until it ends, and for ever if it is interrupted.
_OLDEST_FIRST = '{"refresh_newest_first": false}'


class TimescaleStore(Store):
    """TimescaleDB Community. Its policies run inside the database; these methods do what policies cannot do."""

    tier = "timescale"

    async def versions(self) -> dict[str, str]:
        row = await self.pool.fetchrow(_sql.versions)
        return dict(row) if row else {}

    async def apply_settings(self, connection: Connection) -> None:
        settings = self.settings
        # In one transaction: two processes that start together must not see half of each other's policies.
        async with connection.transaction():
            await connection.execute(_sql.lock_policies)
            await connection.execute(_sql.remove_policies)
            await connection.execute(_sql.add_compression, timedelta(days=settings.compress_after_days))
            for name in SERIES:
                await connection.execute(_sql.add_retention, f"tracker.{name}", timedelta(days=settings.retention_days))
            hourly_retention = timedelta(days=settings.hourly_retention_days)
            await connection.execute(_sql.add_retention, "tracker.events_hourly", hourly_retention)
            # The window is shorter than raw retention (see Settings): a refresh over dropped chunks would delete hours.
            window = timedelta(days=settings.late_days + 1)
            await connection.execute(_sql.add_refresh, window, timedelta(minutes=settings.refresh_minutes))
        await self._make_ahead(connection)

    async def make_ahead(self) -> int:
        async with self.pool.acquire() as connection:
            return await self._make_ahead(connection)

    async def _make_ahead(self, connection: Connection) -> int:
        days = range(-self.settings.late_days - 1, self.settings.chunks_ahead_days + 1)
        made = [await connection.fetchval(_sql.make_chunk, f"tracker.{name}", day) for name in SERIES for day in days]
        await connection.execute(_sql.close_chunks)
        return sum(made)

    async def drop_expired(self) -> int:
        """Run the retention policies of the series now. They also run once a day."""
        limit = midnight_of(await self.pool.fetchval("select now()"))
        await rollups.freeze_hours(self.pool, "events_hourly", limit - timedelta(days=self.settings.retention_days))
        return await self._run_retention(_sql.series_retention)

    async def drop_expired_hours(self, limit: datetime) -> int:
        """Run the retention policy of the aggregate, which has the same limit."""
        return await self._run_retention(_sql.hourly_retention)

    async def forget_hours(self, connection: Connection, project_id: int) -> None:
        """Delete the stored hours, because a refresh would only delete those whose rows still exist."""
        table = await connection.fetchval(_sql.hours_table)
        await connection.execute(f"delete from {table} where project_id = $1", project_id)

    async def _run_retention(self, jobs: str) -> int:
        async with self.pool.acquire() as connection:
            before = await connection.fetchval(_sql.count_chunks)
            for job in await connection.fetch(jobs):
                await connection.execute(f"call run_job({job['job_id']})")
            return before - await connection.fetchval(_sql.count_chunks)

    async def refresh_events_hourly(self) -> int:
        """Compute the hours since the watermark and the listed hours, adjacent ones in one call.

        A refresh cannot run in a transaction, so an hour is removed from the list after its refresh; an interrupted
        refresh is repeated. The hours since the watermark come first: the refresh of a later hour would move the
        watermark past them, and they would never be counted.
        """
        async with self.pool.acquire() as connection:
            kept_from: datetime = await connection.fetchval(_sql.kept_from)
            listed = await connection.fetch(_sql.list_hours)
            hours = {row["bucket"] for row in listed if row["bucket"] >= kept_from}
            watermark, end = await connection.fetchrow(_sql.watermark) or (kept_from, kept_from)
            start = max(watermark, kept_from)
            ranges = [(start, end)] if start < end else []
            ranges += _merge_adjacent({hour for hour in hours if hour < start})
            for first, end in ranges:
                arguments = f"'{first.isoformat()}', '{end.isoformat()}', options => '{_OLDEST_FIRST}'"
                try:
                    await connection.execute(f"call refresh_continuous_aggregate('tracker.events_hourly', {arguments})")
                except asyncpg.LockNotAvailableError:
                    return 0  # the policy or another process refreshes; the listed hours wait for the next run
            await connection.execute(
                _sql.unlist_hours, [row["ctid"] for row in listed], [row["xmin"] for row in listed]
            )
        return sum((end - first) // _HOUR for first, end in ranges)


def _merge_adjacent(hours: set[datetime]) -> list[tuple[datetime, datetime]]:
    ranges: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        moment = hour.astimezone(UTC)
        if ranges and ranges[-1][1] == moment:
            ranges[-1] = (ranges[-1][0], moment + _HOUR)
        else:
            ranges.append((moment, moment + _HOUR))
    return ranges
