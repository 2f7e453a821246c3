"""Keys, made, listed, rotated and revoked by commands; each act stands in the project's audit log."""

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


class Key(Struct, frozen=True):
    """A key, shown this once."""

    key: str
    kind: keys.Kind
    project_id: int
    expires_at: datetime | None


class Rotated(Struct, frozen=True):
    """A new public write key."""

    write_key: str
    replaced: str | None
    replaced_until: datetime | None


def add(commands: Any) -> None:
    """Adds `key` to the command line."""
    key = command(commands, "key", run, "make, list and revoke keys", "tracker-backend key create --kind read")
    actions = add_actions(key)
    create = command(
        actions, "create", run, "make a key; it is shown once", "tracker-backend key create --kind admin --days 30"
    )
    create.add_argument(
        "--kind",
        choices=["write", "read", "admin"],
        required=True,
        help="to send, to look, or all that an owner may",
    )
    create.add_argument("--name", default="", help="what it is for")
    create.add_argument("--days", type=float, help="days until it expires (never)")
    command(actions, "list", run, "list keys by their first characters", "tracker-backend key list")
    revoke = command(actions, "revoke", run, "end a key, within a second", "tracker-backend key revoke tb_r_AbCdE")
    revoke.add_argument("prefix", help="its first 10 characters, as `key list` shows them")
    rotate = command(
        actions, "rotate", run, "replace the write key that pages carry", "tracker-backend key rotate --grace-hours 48"
    )
    rotate.add_argument(
        "--grace-hours", type=float, default=24, help="hours that the one before goes on (24); 0 ends it now"
    )
    add_project_option(*actions.choices.values())


async def run(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Runs one of them."""
    project_id = await project_of(options, database)
    if options.action == "list":
        return await keys.list_keys(database.pool, project_id)
    if options.action == "revoke":
        return await revoke_key(database.pool, project_id, options.prefix)
    if options.action == "rotate":
        return await rotate_key(database.pool, project_id, options.grace_hours)
    return await create_key(database.pool, project_id, options.kind, options.name, options.days)


async def create_key(pool: Pool, project_id: int, kind: keys.Kind, name: str, days: float | None) -> Key:
    """Makes a secret key; Invalid for days that cannot be."""
    if days is not None and not 0 < days <= keys.MOST_DAYS:
        raise Invalid(f"--days is {days:g}: give more than 0, at most {keys.MOST_DAYS}, or leave it out.")
    async with pool.acquire() as connection, connection.transaction():
        made = await keys.make_key(connection, COMMAND_LINE, project_id, kind, name, days)
    return Key(made.key, kind, project_id, made.expires_at)


async def rotate_key(pool: Pool, project_id: int, grace_hours: float) -> Rotated:
    """Replaces the public write key; the one before goes on for so many hours. Invalid for what cannot be."""
    if not 0 <= grace_hours <= keys.MOST_GRACE_HOURS:
        raise Invalid(
            f"--grace-hours is {grace_hours:g}: give 0 to {keys.MOST_GRACE_HOURS}; 0 ends the one before now."
        )
    async with pool.acquire() as connection, connection.transaction():
        made = await keys.rotate_public_key(connection, COMMAND_LINE, project_id, grace_hours)
    return Rotated(made.public_key, made.replaced, made.replaced_until)


async def revoke_key(pool: Pool, project_id: int, prefix: str) -> dict[str, int]:
    """Ends the key with this prefix, or whose first characters these are; NotFound where none is valid."""
    prefix = prefix[: keys.PREFIX_LENGTH]
    async with pool.acquire() as connection, connection.transaction():
        if not await keys.revoke_key(connection, COMMAND_LINE, project_id, prefix):
            raise NotFound(
                f"no valid key of project {project_id} begins with {prefix}: `tracker-backend key list` shows them,"
                " with --project those of another project."
            )
    return {"revoked": 1}
