"""Analysts: PostgreSQL logins that can only read the views of the projects granted to them."""

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
_CREATED_BY = "made by tracker-backend analyst create"  # the comment on a role, by which `drop` recognises it
_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
_sql = load(__file__, "analysts")


class Grant(Struct, frozen=True):
    """Which login reads which project."""

    role: str
    project_id: int
    project: str
    granted_at: datetime
    is_gone: bool
    """The role was dropped, so the grant has no effect."""


class _Role(Struct, frozen=True):
    role_id: int
    is_ours: bool
    is_member: bool
    has_more_rights: bool
    may_log_in: bool


async def create(pool: Pool, name: str, project_id: int) -> str:
    """Create a login that reads one project and return its password, which is stored nowhere else.

    Raises SettingsError for a name that is in use or invalid, and if the server's role lacks the rights.
    """
    if not _NAME.fullmatch(name) or name == GROUP:
        raise SettingsError(
            f"{name!r} is not a valid name for an analyst: "
            "use lower-case letters, digits and _; do not begin with a digit or pg_."
        )
    password = secrets.token_urlsafe(24)
    async with pool.acquire() as connection, connection.transaction():
        await _create_views(connection)
        if await _find_role(connection, name) is not None:
            raise SettingsError(
                f"the role {name} exists already: `tracker-backend analyst grant {name}` lets it read a project."
            )
        statements = await connection.fetchval(_sql.create, name, verifier(password), _CREATED_BY)
        shown = f"create role {name} login connection limit 10 password 'choose-one' in role {GROUP}"
        await _run_ddl(connection, statements, f"{shown}`, then `tracker-backend analyst grant {name}")
        await _grant(connection, name, project_id)
    return password


async def grant(pool: Pool, name: str, project_id: int) -> bool:
    """Let a login read a project, from its next statement on; return False if it already could.

    Raises SettingsError for a role that does not exist or has more rights than an analyst.
    """
    async with pool.acquire() as connection, connection.transaction():
        await _create_views(connection)
        return await _grant(connection, name, project_id)


async def revoke(pool: Pool, name: str, project_id: int) -> bool:
    """Stop a login from reading a project, from its next statement on; return False if it could not read it."""
    async with pool.acquire() as connection, connection.transaction():
        return bool(await _revoke(connection, name, project_id))


async def drop(pool: Pool, name: str) -> tuple[list[int], bool]:
    """Revoke all grants of a role in this database, and drop the role if `create` created it.

    Any other role is kept, also in the group: it may read another database of the cluster. Returns the ids of the
    projects it could read, and whether it was dropped. Raises SettingsError if there is no such analyst, or if the
    server's role may not drop it; the grants are revoked in that case, too.
    """
    async with pool.acquire() as connection:
        async with connection.transaction():
            projects = await _revoke(connection, name, None)
        role = await _find_role(connection, name)
        if role is not None and role.is_ours and not role.has_more_rights:
            statement = await connection.fetchval(_sql.drop, name)
            await _run_ddl(connection, [statement], statement)
            return projects, True
        if not projects:
            raise SettingsError(f"there is no analyst {name}: `tracker-backend analyst list` lists all analysts.")
        return projects, False


async def list_grants(pool: Pool) -> list[Grant]:
    """Return all grants of this database, ordered by role."""
    return [Grant(*row) for row in await pool.fetch(_sql.list_grants)]


def dsn_for(dsn: str, name: str, password: str) -> str:
    """Return the DSN of the server's database with the name and the password of this login."""
    parts = urlsplit(dsn)
    query = [(key, value) for key, value in parse_qsl(parts.query) if key not in ("user", "password", "passfile")]
    netloc = f"{name}:{quote(password, safe='')}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query, quote_via=quote)))


async def _create_views(connection: Connection) -> None:
    """Create the schema, the views and the group that are missing."""
    missing: list[str] = await connection.fetchval(_sql.create_views)
    if missing:
        raise SettingsError(
            f"the server's database role may not create the views of analysts. As a superuser, in this database, run "
            f"`{'; '.join(missing)}`, then this command again."
        )


async def _find_role(connection: Connection, name: str) -> _Role | None:
    row = await connection.fetchrow(_sql.find_role, name, _CREATED_BY)
    return _Role(*row) if row else None


async def _grant(connection: Connection, name: str, project_id: int) -> bool:
    role = await _find_role(connection, name)
    if role is None or not role.may_log_in:
        raise SettingsError(
            f"there is no role {name} that may log in: `tracker-backend analyst create {name}` creates one."
        )
    if role.has_more_rights:
        raise SettingsError(
            f"the role {name} has more rights than an analyst, such as those of a superuser: choose another role."
        )
    if not role.is_member:
        statement = await connection.fetchval(_sql.join, name)
        await _run_ddl(connection, [statement], statement)
    if await connection.fetchval(_sql.grant, role.role_id, project_id, name) is None:
        return False
    await audit.write(connection, audit.COMMAND_LINE, "analyst granted", project_id=project_id, target=name)
    return True


async def _revoke(connection: Connection, name: str, project_id: int | None) -> list[int]:
    projects: list[int] = [row[0] for row in await connection.fetch(_sql.revoke, name, project_id)]
    for each in projects:
        await audit.write(connection, audit.COMMAND_LINE, "analyst revoked", project_id=each, target=name)
    return projects


async def _run_ddl(connection: Connection, statements: list[str], shown: str) -> None:
    """Run statements that change roles. If this role lacks the rights, SettingsError names `shown` for a superuser."""
    try:
        for statement in statements:
            await connection.execute(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        refusal = str(error).partition("\n")[0]
        raise SettingsError(
            f"the server's database role may not do this ({refusal}). As a superuser, run `{shown}`."
        ) from error
