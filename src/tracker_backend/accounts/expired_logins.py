"""Deletes logins, links and tickets that have expired."""

from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store

_sql = load(__file__, "expired_logins")


async def delete_expired_logins(store: Store) -> int:
    """Deletes expired logins, links and tickets; returns how many."""
    return await store.pool.fetchval(_sql.delete_expired)
