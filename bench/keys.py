"""How long a revoked key is still accepted, in every worker: at most as long as `http/ttl_cache.py` keeps it."""

import asyncio
import statistics
import time

import httpx

from tests.processes import Running
from tracker_backend.accounts import keys
from tracker_backend.http.ttl_cache import SECONDS
from tracker_backend.settings import Settings
from tracker_backend.storage.database import migrate
from tracker_backend.storage.pool import open_small_pool

WORKERS = 2
CALLERS = 8


async def measure(dsn: str, rounds: int) -> None:
    """Prints when the last call with a revoked key was answered, after the revocation was committed."""
    settings = Settings(database_url=dsn)
    await migrate(settings, dsn)
    with Running(
        DATABASE_URL=dsn, TRACKER_WORKERS=str(WORKERS), TRACKER_AUTH="required", TRACKER_LIMIT_KEY="0"
    ) as server:
        late = [await _revoke(settings, dsn, server.url) for _ in range(rounds)]
    worst, middle = max(late) * 1000, statistics.median(late) * 1000
    print(f"a revoked key was last let in after {middle:.0f} ms (worst {worst:.0f} ms), {WORKERS} workers")
    if max(late) > SECONDS + 0.5:  # an answer that was under way counts too
        raise SystemExit(f"that is more than the {SECONDS:.0f} s that are promised")


async def _revoke(settings: Settings, dsn: str, url: str) -> float:
    pool = await open_small_pool(settings, dsn)
    project_id = await keys.default_project(pool)
    key = await keys.create_key(pool, project_id, "read")
    last = 0.0
    known = asyncio.Event()

    async def call() -> None:
        nonlocal last
        async with httpx.AsyncClient(base_url=url, headers={"x-api-key": key, "connection": "close"}) as client:
            while True:
                asked = time.monotonic()
                answer = await client.get("/api/v1/sessions", params={"limit": 1})
                if answer.status_code == 401:
                    return
                answer.raise_for_status()
                last = max(last, asked)
                known.set()

    callers = [asyncio.create_task(call()) for _ in range(CALLERS)]
    await known.wait()
    await asyncio.sleep(0.7)  # every worker knows the key
    await pool.execute("update tracker.api_keys set revoked_at = now() where key_sha256 = $1", keys.digest(key))
    revoked = time.monotonic()
    await asyncio.gather(*callers)
    await pool.close()
    return max(0.0, last - revoked)
