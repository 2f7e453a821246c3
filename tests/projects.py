"""Projects of tests."""

from tracker_backend.storage.pool import Connection, Pool


async def make_project(pool: Pool | Connection, name: str) -> int:
    """A project with nothing in it: no key, no person, no line in the audit log. Returns its number."""
    return await pool.fetchval("insert into tracker.projects (name) values ($1) returning project_id", name)
