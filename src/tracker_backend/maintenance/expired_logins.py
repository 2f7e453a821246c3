"""Removes what is over of logins, links and tickets."""

from tracker_backend.storage.sql import load
from tracker_backend.storage.store import Store

_sql = load(__file__, "expired_logins")


async def drop_over(store: Store) -> int:
    """Deletes logins, links and tickets that have expired; returns how many."""
    return await store.pool.fetchval(_sql.drop_over)
