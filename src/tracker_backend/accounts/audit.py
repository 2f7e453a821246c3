"""Who did what: written once, never changed, read by owners."""

from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

Action = Literal[
    "login",
    "login refused",
    "logout",
    "account made",
    "account deleted",
    "password changed",
    "password link made",
    "person invited",
    "invitation withdrawn",
    "person joined",
    "role changed",
    "person removed",
    "project made",
    "project changed",
    "project archived",
    "project restored",
    "project deleted",
    "key made",
    "key rotated",
    "key revoked",
    "replay read",
    "session exported",
    "session deleted",
    "visitor exported",
    "visitor erased",
    "analyst granted",
    "analyst revoked",
]
COMMAND_LINE = "command line"
"""The actor of what an operator does by commands."""
_sql = load(__file__, "audit")


class AuditLine(Struct, frozen=True):
    """One thing that was done."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    target: str | None
    details: Raw


async def write(
    connection: Pool | Connection,
    actor: str,
    action: Action,
    *,
    project_id: int | None = None,
    target: str | None = None,
    **details: object,
) -> None:
    """Notes what `actor` (`user 7`, `key tb_a_AbCdE`, `local`, `command line`) did, to what; no secret, no address.

    With the connection of a transaction it is noted if and only if that commits.
    """
    await connection.execute(_sql.write, project_id, actor, action, target, msgspec.json.encode(details))


async def list_lines(pool: Pool, project_id: int, before: int | None, limit: int) -> list[AuditLine]:
    """What was done in a project, newest first, from before an `audit_id` on."""
    return [AuditLine(*row) for row in await pool.fetch(_sql.list_lines, project_id, before, limit)]
