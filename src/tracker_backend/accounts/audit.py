"""The audit log: who did what. Lines are only added; owners read them."""

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
    "project exported",
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
"""The actor of commands that the operator runs."""
_sql = load(__file__, "audit")


class AuditLine(Struct, frozen=True):
    """One action in the audit log."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    target: str | None
    details: Raw
    actor_email: str | None
    """Of an actor `user 7` whose account exists. It is looked up, not stored: it goes with the account."""
    target_email: str | None
    """The same of the target."""


async def write(
    connection: Pool | Connection,
    actor: str,
    action: Action,
    *,
    project_id: int | None = None,
    target: str | None = None,
    **details: object,
) -> None:
    """Add a line: what `actor` (`user 7`, `key tb_a_AbCdE`, `local`, `command line`) did, to which `target`.

    `details` must hold no secret and no address. In a transaction, the line is written if and only if that commits.
    """
    await connection.execute(_sql.write, project_id, actor, action, target, msgspec.json.encode(details))


async def list_lines(pool: Pool, project_id: int, before: int | None, limit: int) -> list[AuditLine]:
    """Return the newest `limit` lines of a project, older than the audit id `before` if it is given."""
    return [AuditLine(*row) for row in await pool.fetch(_sql.list_lines, project_id, before, limit)]
