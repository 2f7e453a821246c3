"""What the tests of this folder send, and how they look at what was stored."""

import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx
from litestar import Litestar

from tracker_backend.accounts import keys
from tracker_backend.http.services import Services
from tracker_backend.storage.pool import Pool

API = "/api/v1"
PAGE = "https://shop.example/cart"
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36"
Json = dict[str, Any]

_TABLES = """
    select c.relname from pg_class c
    where c.relnamespace = 'tracker'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
        and c.relname <> all(array[
            'leases', 'rollups', 'events_hourly_rollup', 'sessions_hourly_rollup', 'hours_to_refresh'
        ])
    order by 1
"""  # not those that maintenance changes by itself


def now() -> datetime:
    """This moment, in whole milliseconds as browsers have it."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def new_session() -> str:
    """A session id that nobody has used."""
    return str(uuid.uuid4())


def event(**fields: object) -> Json:
    """A click of now, with these fields added or changed."""
    return {"timestamp": now().isoformat(), "event_type": "click", "page_url": PAGE, **fields}


def batch(*events: Json, session_id: str | None = None, **fields: object) -> Json:
    """A batch of these events, or of one click, of a new session unless told."""
    return {"session_id": session_id or new_session(), "events": list(events) or [event()], **fields}


def local(app: Litestar, *, host: str = "localhost", peer: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client of an app, from this machine unless told."""
    asgi: Any = app  # litestar's types of ASGI messages are narrower than httpx's
    transport = httpx.ASGITransport(app=asgi, client=(peer, 50000))
    return httpx.AsyncClient(transport=transport, base_url=f"http://{host}")


async def track(client: httpx.AsyncClient, *events: Json, session_id: str | None = None, **fields: object) -> str:
    """Sends a batch, which must be stored, and returns its session."""
    sent = batch(*events, session_id=session_id, **fields)
    answer = await client.post(f"{API}/track", json=sent)
    assert answer.status_code == 201, answer.text
    assert answer.json()["count"] == len(sent["events"])
    return sent["session_id"]


async def get(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    """The JSON of a read that must succeed; `from_` stands for `from`."""
    answer = await client.get(f"{API}{path}", params={name.rstrip("_"): value for name, value in parameters.items()})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def events_of(client: httpx.AsyncClient, session_id: str, **parameters: Any) -> list[Json]:
    """The stored events of a session."""
    return (await get(client, f"/sessions/{session_id}/events", **parameters))["data"]


async def public_key(services: Services) -> str:
    """The default project's public write key."""
    return await keys.public_key(services.pool, await keys.default_project(services.pool))


async def row_counts(pool: Pool) -> dict[str, int]:
    """Rows of every table."""
    tables = [row["relname"] for row in await pool.fetch(_TABLES)]
    counts = " union all ".join(f"select '{table}' as name, count(*) as rows from tracker.{table}" for table in tables)
    totals = "select 'sessions counted' as name, coalesce(sum(sessions), 0)::bigint as rows from tracker.session_totals"
    return {row["name"]: row["rows"] for row in await pool.fetch(f"{counts} union all {totals}")}


async def rows_of(pool: Pool, session_id: str) -> dict[str, int]:
    """Rows of a session in every table that has sessions' rows."""
    tables = await pool.fetch(
        f"select relname from ({_TABLES}) t where exists (select from pg_attribute"
        " where attrelid = ('tracker.' || relname)::regclass and attname = 'session_id' and not attisdropped)"
    )
    counts = " union all ".join(
        f"select '{row['relname']}' as name, count(*) as rows from tracker.{row['relname']} where session_id = $1"
        for row in tables
    )
    return {row["name"]: row["rows"] for row in await pool.fetch(counts, uuid.UUID(session_id))}


def check_problem(answer: httpx.Response, status: int, kind: str, *tells: str) -> None:
    """The answer is this problem, and its detail tells these things."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"/docs/errors#{kind}"
    assert problem["status"] == status
    assert problem["title"].endswith(".")
    for text in tells:
        assert text in problem["detail"], problem["detail"]
    assert "Traceback" not in problem["detail"]


async def refresh(services: Services) -> None:
    """Computes the hourly numbers now; where the server's own task is at it, after that."""
    while True:
        with suppress(asyncpg.LockNotAvailableError):
            await services.database.maintained.refresh_events_hourly()
            return
