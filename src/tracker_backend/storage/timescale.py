"""TimescaleDB Community: chunks, columnstore, policies, and `events_hourly` as a real-time continuous aggregate."""

from datetime import UTC, datetime, timedelta

import asyncpg

from tracker_backend.storage import rollups
from tracker_backend.storage.pool import Connection
from tracker_backend.storage.sql import load
from tracker_backend.storage.store import SERIES, Store

_sql = load(__file__, "timescale")
_HOUR = timedelta(hours=1)
# A refresh commits after each ten hours and moves the watermark to the last it did. Newest first, the default, it would
# hide the hours before until it is done, and for good if it is cut off.
_OLDEST_FIRST = '{"refresh_newest_first": false}'


class TimescaleStore(Store):
    """The policies run inside the database; what a policy cannot know is done by the calls here."""

    tier = "timescale"

    async def versions(self) -> dict[str, str]:
        row = await self.pool.fetchrow(_sql.versions)
        return dict(row) if row else {}

    async def apply_settings(self, connection: Connection) -> None:
        settings = self.settings
        # At once: two processes that start together must not meet half of each other's policies.
        async with connection.transaction():
            await connection.execute(_sql.lock_policies)
            await connection.execute(_sql.remove_policies)
            await connection.execute(_sql.add_compression, timedelta(days=settings.compress_after_days))
            for name in SERIES:
                await connection.execute(_sql.add_retention, f"tracker.{name}", timedelta(days=settings.retention_days))
            hourly_retention = timedelta(days=settings.hourly_retention_days)
            await connection.execute(_sql.add_retention, "tracker.events_hourly", hourly_retention)
            # The window ends inside raw retention (see Settings): a refresh over dropped chunks would erase hours.
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
        """Runs the retention policies of the series now; they also run by themselves once a day."""
        now: datetime = await self.pool.fetchval("select now()")
        limit = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        await rollups.finish_hours(self.pool, "events_hourly", limit - timedelta(days=self.settings.retention_days))
        return await self._run_retention(_sql.series_retention)

    async def drop_expired_hours(self, limit: datetime) -> int:
        """Runs the aggregate's own retention policy, which has the same limit."""
        return await self._run_retention(_sql.hourly_retention)

    async def forget_hours(self, connection: Connection, project_id: int) -> None:
        """A refresh would do it for hours whose rows it may still count; the others stand in this table only."""
        table = await connection.fetchval(_sql.hours_table)
        await connection.execute(f"delete from {table} where project_id = $1", project_id)

    async def _run_retention(self, jobs: str) -> int:
        async with self.pool.acquire() as connection:
            before = await connection.fetchval(_sql.count_chunks)
            for job in await connection.fetch(jobs):
                await connection.execute(f"call run_job({job['job_id']})")
            return before - await connection.fetchval(_sql.count_chunks)

    async def refresh_events_hourly(self) -> int:
        """Computes the hours since the watermark and the listed ones, neighbours in one call.

        A refresh cannot run in a transaction, so an hour leaves the list after it: cut off, it is done again. The hours
        since the watermark come first: one after them would move it, and those between would be counted by nobody.
        """
        async with self.pool.acquire() as connection:
            kept_from: datetime = await connection.fetchval(_sql.kept_from)
            listed = await connection.fetch(_sql.list_hours)
            hours = {row["bucket"] for row in listed if row["bucket"] >= kept_from}
            watermark, end = await connection.fetchrow(_sql.watermark) or (kept_from, kept_from)
            start = max(watermark, kept_from)
            spans = [(start, end)] if start < end else []
            spans += _spans({hour for hour in hours if hour < start})
            for first, end in spans:
                arguments = f"'{first.isoformat()}', '{end.isoformat()}', options => '{_OLDEST_FIRST}'"
                try:
                    await connection.execute(f"call refresh_continuous_aggregate('tracker.events_hourly', {arguments})")
                except asyncpg.LockNotAvailableError:
                    return 0  # the policy or another process is at it; what is listed stays for the next round
            await connection.execute(
                _sql.unlist_hours, [row["ctid"] for row in listed], [row["xmin"] for row in listed]
            )
        return sum((end - first) // _HOUR for first, end in spans)


def _spans(hours: set[datetime]) -> list[tuple[datetime, datetime]]:
    spans: list[tuple[datetime, datetime]] = []
    for hour in sorted(hours):
        moment = hour.astimezone(UTC)
        if spans and spans[-1][1] == moment:
            spans[-1] = (spans[-1][0], moment + _HOUR)
        else:
            spans.append((moment, moment + _HOUR))
    return spans
