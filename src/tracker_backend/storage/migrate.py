"""The migration runner: forward only, one transaction per file, checksummed. The tier of a database never changes.

The files of `schema/core` and of the tier's folder are one sequence, ordered by number. A file that begins with
`-- no transaction` holds one statement that PostgreSQL does not allow in a transaction.
"""

import hashlib
import uuid
from pathlib import Path

import asyncpg
import msgspec

from tracker_backend.bundled import SCHEMA
from tracker_backend.errors import SchemaError
from tracker_backend.storage.pool import Connection

_LOCK = 0x747261636B6572  # "tracker" in ASCII; one migration at a time per database


class Migration(msgspec.Struct, frozen=True):
    """One file of `schema/`."""

    name: str
    """Folder and file name: `core/0001_projects.sql`."""
    sql: str
    checksum: str


class Installation(msgspec.Struct, frozen=True):
    """The tier and the identity of a database. Neither ever changes."""

    tier: str
    installation_id: uuid.UUID
    secret: bytes = b""
    """Set when all migrations have been applied."""


def files(tier: str, folder: Path = SCHEMA) -> list[Migration]:
    """Return the migrations of a tier, ordered by number."""
    paths = sorted(
        [*folder.glob("core/*.sql"), *folder.glob(f"{tier}/*.sql")], key=lambda path: (path.name, path.parent.name)
    )
    found: list[Migration] = []
    for path in paths:
        text = path.read_text("utf-8")
        found.append(Migration(f"{path.parent.name}/{path.name}", text, hashlib.sha256(text.encode()).hexdigest()))
    return found


async def find_tier(connection: Connection) -> str:
    """Return `timescale` if TimescaleDB Community is available, else `plain`."""
    # This setting exists only if the library is preloaded, and reading it needs no special rights. Creating the
    # extension without the library would end the connection. Unlike current_setting(), pg_settings does not contain
    # settings that are only in a configuration file.
    available = await connection.fetchval(
        "select exists (select from pg_settings where name = 'timescaledb.max_background_workers')"
        " and exists (select from pg_available_extensions where name = 'timescaledb')"
    )
    if not available:
        return "plain"
    try:
        async with connection.transaction():
            await connection.execute("create extension if not exists timescaledb")
    except asyncpg.InsufficientPrivilegeError:
        return "plain"
    return "timescale" if await connection.fetchval("show timescaledb.license") == "timescale" else "plain"


async def read_installation(connection: Connection) -> Installation | None:
    """Return the record in the database; None if it was never migrated."""
    if await connection.fetchval("select to_regclass('tracker.installation')") is None:
        return None
    row = await connection.fetchrow("select tier, installation_id from tracker.installation")
    return Installation(row["tier"], row["installation_id"]) if row else None


async def check(connection: Connection) -> Installation:
    """Return the installation. Raises SchemaError if a migration is missing, unknown or was changed."""
    installation = await read_installation(connection)
    if installation is None:
        raise SchemaError("the database has no tracker schema: run `tracker-backend migrate`.")
    pending = await _pending(connection, files(installation.tier))
    if pending:
        raise SchemaError(
            f"{len(pending)} migrations are not applied ({pending[0].name}): run `tracker-backend migrate`."
        )
    return await _with_secret(connection, installation)


async def _with_secret(connection: Connection, installation: Installation) -> Installation:
    secret: bytes = await connection.fetchval("select secret from tracker.installation")
    return msgspec.structs.replace(installation, secret=secret)


async def migrate(connection: Connection) -> tuple[Installation, list[str]]:
    """Apply all pending migrations. Returns the installation and the names of the applied files."""
    applied: list[str] = []
    try:
        async with connection.transaction():
            await _lock(connection)
            installation = await _install(connection)
    except asyncpg.InsufficientPrivilegeError as error:
        raise SchemaError(
            f"the database role may not create the schema `tracker` ({error}): "
            "`grant create on database … to …` for it, or create the schema and make that role its owner."
        ) from error
    for migration in await _pending(connection, files(installation.tier)):
        if migration.sql.startswith("-- no transaction"):
            await connection.execute(migration.sql)
            await _record(connection, migration)
            applied.append(migration.name)
        elif await _apply(connection, migration):
            applied.append(migration.name)
    return await _with_secret(connection, installation), applied


async def _lock(connection: Connection) -> None:
    await connection.execute(f"select pg_advisory_xact_lock({_LOCK})")


async def _install(connection: Connection) -> Installation:
    installation = await read_installation(connection)
    if installation is not None:
        return installation
    tier = await find_tier(connection)
    # Not `if not exists`: it needs the right to create even if the schema exists.
    if await connection.fetchval("select to_regnamespace('tracker') is null"):
        await connection.execute("create schema tracker")
    await connection.execute(
        """
        revoke all on schema tracker from public;
        create table tracker.installation (
            only_row        boolean     primary key default true check (only_row),
            tier            text        not null,
            installation_id uuid        not null default gen_random_uuid(),
            created_at      timestamptz not null default now()
        );
        create table tracker.migrations (
            name       text        primary key,
            checksum   text        not null,
            applied_at timestamptz not null default now()
        );
        alter table tracker.installation enable row level security;
        alter table tracker.migrations enable row level security;
        """
    )
    await connection.execute("insert into tracker.installation (tier) values ($1)", tier)
    installation = await read_installation(connection)
    assert installation is not None  # noqa: S101 — inserted in this transaction
    return installation


async def _pending(connection: Connection, migrations: list[Migration]) -> list[Migration]:
    known = {
        row["name"]: row["checksum"] for row in await connection.fetch("select name, checksum from tracker.migrations")
    }
    names = {migration.name for migration in migrations}
    newer = sorted(known.keys() - names)
    if newer:
        raise SchemaError(
            f"the database was migrated by a newer server ({newer[-1]} is not known here): update the server."
        )
    for migration in migrations:
        if known.get(migration.name, migration.checksum) != migration.checksum:
            raise SchemaError(
                f"{migration.name} is not the file that was applied to this database: "
                "restore that file (migrations are never edited; a change is a new file)."
            )
    return [migration for migration in migrations if migration.name not in known]


async def _apply(connection: Connection, migration: Migration) -> bool:
    """Apply one file. Returns False if another process has applied it."""
    async with connection.transaction():
        await _lock(connection)
        if await connection.fetchval("select exists (select from tracker.migrations where name = $1)", migration.name):
            return False
        await connection.execute(migration.sql)
        await _record(connection, migration)
    return True


async def _record(connection: Connection, migration: Migration) -> None:
    await connection.execute(
        "insert into tracker.migrations (name, checksum) values ($1, $2)", migration.name, migration.checksum
    )
