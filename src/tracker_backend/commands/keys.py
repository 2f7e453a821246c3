"""The command `key`: create, list, rotate and revoke keys. Each action is written to the project's audit log."""

import argparse
from datetime import datetime
from typing import Any

from msgspec import Struct

from tracker_backend.accounts import keys
from tracker_backend.accounts.audit import COMMAND_LINE
from tracker_backend.commands.arguments import add_actions, add_project_option, command, project_of
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.pool import Pool


class CreatedKey(Struct, frozen=True):
    """A new key. It is not shown again."""

    key: str
    kind: keys.Kind
    project_id: int
    expires_at: datetime | None


class RotatedKey(Struct, frozen=True):
    """A new public write key, and until when the replaced one stays valid."""

    write_key: str
    replaced: str | None
    replaced_until: datetime | None


def add(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `key`."""
    actions = add_actions(parser)
    create = command(
        actions, "create", run, "create a key and show it once", "tracker-backend key create --kind admin --days 30"
    )
    create.add_argument(
        "--kind",
        choices=["write", "read", "admin"],
        required=True,
        help="what the key may do: send; read; or everything that an owner may do",
    )
    create.add_argument("--name", default="", help="purpose of the key")
    create.add_argument("--days", type=float, help="days until it expires, at most 3650; default: never")
    command(actions, "list", run, "list keys by their first characters, newest first", "tracker-backend key list")
    revoke = command(
        actions, "revoke", run, "revoke a key; it takes effect within a second", "tracker-backend key revoke tb_r_AbCdE"
    )
    revoke.add_argument("prefix", help="first 10 characters of the key, as `key list` shows them")
    rotate = command(
        actions,
        "rotate",
        run,
        "replace the public write key that pages contain",
        "tracker-backend key rotate --grace-hours 48",
    )
    rotate.add_argument(
        "--grace-hours",
        type=float,
        default=24,
        help="hours for which the replaced key stays valid, at most 8760; default: %(default)s; 0 revokes it now",
    )
    add_project_option(*actions.choices.values())


async def run(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Run an action."""
    project_id = await project_of(options, database)
    if options.action == "list":
        return await keys.list_keys(database.pool, project_id)
    if options.action == "revoke":
        return await revoke_key(database.pool, project_id, options.prefix)
    if options.action == "rotate":
        return await rotate_key(database.pool, project_id, options.grace_hours)
    return await create_key(database.pool, project_id, options.kind, options.name, options.days)


async def create_key(pool: Pool, project_id: int, kind: keys.Kind, name: str, days: float | None) -> CreatedKey:
    """Create a secret key. Raises Invalid for `days` out of range."""
    if days is not None and not 0 < days <= keys.MAX_DAYS:
        raise Invalid(f"--days is {days:g}: give more than 0 and at most {keys.MAX_DAYS}, or omit the option.")
    async with pool.acquire() as connection, connection.transaction():
        made = await keys.issue_key(connection, COMMAND_LINE, project_id, kind, name, days)
    return CreatedKey(made.key, kind, project_id, made.expires_at)


async def rotate_key(pool: Pool, project_id: int, grace_hours: float) -> RotatedKey:
    """Replace the public write key. The replaced key stays valid for `grace_hours`. Raises Invalid out of range."""
    if not 0 <= grace_hours <= keys.MAX_GRACE_HOURS:
        raise Invalid(
            f"--grace-hours is {grace_hours:g}: give 0 to {keys.MAX_GRACE_HOURS}; 0 revokes the replaced key now."
        )
    async with pool.acquire() as connection, connection.transaction():
        made = await keys.rotate_public_key(connection, COMMAND_LINE, project_id, grace_hours)
    return RotatedKey(made.public_key, made.replaced, made.replaced_until)


async def revoke_key(pool: Pool, project_id: int, prefix: str) -> dict[str, int]:
    """Revoke the key that begins with `prefix`. Raises NotFound if no valid key does."""
    prefix = prefix[: keys.PREFIX_LENGTH]
    async with pool.acquire() as connection, connection.transaction():
        if not await keys.revoke_key(connection, COMMAND_LINE, project_id, prefix):
            raise NotFound(
                f"no valid key of project {project_id} begins with {prefix}: `tracker-backend key list` lists the keys,"
                " with --project those of another project."
            )
    return {"revoked": 1}
