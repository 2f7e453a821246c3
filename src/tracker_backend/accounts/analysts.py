"""Analysts: logins of PostgreSQL that read views of the projects granted to them, and nothing else."""

import re
import secrets
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import asyncpg
from msgspec import Struct

from tracker_backend.accounts import audit
from tracker_backend.accounts.scram import verifier
from tracker_backend.errors import SettingsError
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

GROUP = "tracker_analyst"
_MADE = "made by tracker-backend analyst create"
_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
_sql = load(__file__, "analysts")


class Grant(Struct, frozen=True):
    """Who reads which project."""

    role: str
    project_id: int
    project: str
    granted_at: datetime
    is_gone: bool
    """The role is not there any more: the grant opens nothing."""


class _Role(Struct, frozen=True):
    role_id: int
    is_ours: bool
    is_member: bool
    is_mighty: bool
    may_log_in: bool


async def create(pool: Pool, name: str, project_id: int) -> str:
    """Makes a login that reads one project and returns its password, which is stored nowhere else.

    Raises SettingsError for a name that is taken or none for a role, and where the server's role may not do it.
    """
    if not _NAME.fullmatch(name) or name == GROUP:
        raise SettingsError(
            f"{name!r} is no name for an analyst: "
            "use lower-case letters, digits and _, not beginning with a digit or pg_."
        )
    password = secrets.token_urlsafe(24)
    async with pool.acquire() as connection, connection.transaction():
        await _open(connection)
        if await _find(connection, name) is not None:
            raise SettingsError(
                f"there is a role {name} already: `tracker-backend analyst grant {name}` lets it read a project."
            )
        statements = await connection.fetchval(_sql.create, name, verifier(password), _MADE)
        shown = f"create role {name} login connection limit 10 password 'choose-one' in role {GROUP}"
        await _run(connection, statements, f"{shown}`, then `tracker-backend analyst grant {name}")
        await _grant(connection, name, project_id)
    return password


async def grant(pool: Pool, name: str, project_id: int) -> bool:
    """Lets a login read a project, with its next statement; False if it could before.

    Raises SettingsError for a role that is not there or may do more than an analyst.
    """
    async with pool.acquire() as connection, connection.transaction():
        await _open(connection)
        return await _grant(connection, name, project_id)


async def revoke(pool: Pool, name: str, project_id: int) -> bool:
    """Ends that, with its next statement; False if it had no such grant."""
    async with pool.acquire() as connection, connection.transaction():
        return bool(await _revoke(connection, name, project_id))


async def drop(pool: Pool, name: str) -> tuple[list[int], bool]:
    """Ends all grants of a role in this database and drops the role, if `create` made it.

    A role that somebody else made stays, and stays in the group: it may read another database of the cluster. Returns
    the projects it read, and whether it was dropped. Raises SettingsError if there is no such analyst, and where the
    server's role may not drop it: its grants have ended all the same.
    """
    async with pool.acquire() as connection:
        async with connection.transaction():
            projects = await _revoke(connection, name, None)
        role = await _find(connection, name)
        if role is not None and role.is_ours and not role.is_mighty:
            statement = await connection.fetchval(_sql.drop, name)
            await _run(connection, [statement], statement)
            return projects, True
        if not projects:
            raise SettingsError(f"there is no analyst {name}: `tracker-backend analyst list` shows them.")
        return projects, False


async def list_grants(pool: Pool) -> list[Grant]:
    """All grants of this database, by role."""
    return [Grant(*row) for row in await pool.fetch(_sql.list_grants)]


def dsn_for(dsn: str, name: str, password: str) -> str:
    """The server's own DSN, as this login uses it."""
    parts = urlsplit(dsn)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in ("user", "password", "passfile")]
    netloc = f"{name}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query, quote_via=quote)))


async def _open(connection: Connection) -> None:
    """Makes schema, views and group where they are missing."""
    missing: list[str] = await connection.fetchval(_sql.open)
    if missing:
        raise SettingsError(
            f"the server's database role may not make what analysts need. As a superuser, in this database, run "
            f"`{'; '.join(missing)}`, then this command again."
        )


async def _find(connection: Connection, name: str) -> _Role | None:
    row = await connection.fetchrow(_sql.find, name, _MADE)
    return _Role(*row) if row else None


async def _grant(connection: Connection, name: str, project_id: int) -> bool:
    role = await _find(connection, name)
    if role is None or not role.may_log_in:
        raise SettingsError(
            f"there is no role {name} that may log in: `tracker-backend analyst create {name}` makes one."
        )
    if role.is_mighty:
        raise SettingsError(f"the role {name} may do more than an analyst (as a superuser may): choose another one.")
    if not role.is_member:
        statement = await connection.fetchval(_sql.join, name)
        await _run(connection, [statement], statement)
    if await connection.fetchval(_sql.grant, role.role_id, project_id, name) is None:
        return False
    await audit.write(connection, audit.COMMAND_LINE, "analyst granted", project_id=project_id, target=name)
    return True


async def _revoke(connection: Connection, name: str, project_id: int | None) -> list[int]:
    projects: list[int] = [row[0] for row in await connection.fetch(_sql.revoke, name, project_id)]
    for each in projects:
        await audit.write(connection, audit.COMMAND_LINE, "analyst revoked", project_id=each, target=name)
    return projects


async def _run(connection: Connection, statements: list[str], shown: str) -> None:
    """Runs what changes roles; SettingsError with what a superuser can run instead (`shown`) if this role may not."""
    try:
        for statement in statements:
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        told = str(error).partition("\n")[0]
        raise SettingsError(
            f"the server's database role may not do this ({told}). As a superuser run `{shown}`."
        ) from error
