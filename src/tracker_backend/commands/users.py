"""What the operator does for people by commands: their links begin with TRACKER_PUBLIC_URL, else with this machine."""

import argparse
from datetime import datetime
from typing import Any

from msgspec import Struct

from tracker_backend.accounts import one_time_links, people
from tracker_backend.accounts.audit import COMMAND_LINE
from tracker_backend.accounts.logins import Role
from tracker_backend.commands.arguments import add_actions, add_project_option, command, project_of
from tracker_backend.errors import NotFound, SettingsError
from tracker_backend.serve import local_url
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.pool import Pool


class Made(Struct, frozen=True):
    """A link that is shown once."""

    link: str
    email: str
    expires_at: datetime
    project_id: int | None = None
    role: Role | None = None


class Removed(Struct, frozen=True):
    """Somebody who is no member any more."""

    email: str
    project_id: int
    role: Role


class Deleted(Struct, frozen=True):
    """Somebody who has no account any more."""

    email: str
    projects: list[int]
    """Those that they were in."""


def add(commands: Any) -> None:
    """Adds `user` to the command line."""
    user = command(
        commands,
        "user",
        run,
        "invite people, list and remove them",
        "tracker-backend user invite ann@shop.example --role editor",
    )
    actions = add_actions(user)
    command(actions, "list", run, "list people with their role in each project", "tracker-backend user list")
    invite = command(
        actions,
        "invite",
        run,
        "invite somebody to a project; the link works once, within seven days",
        "tracker-backend user invite ann@shop.example --role editor --project 2",
    )
    invite.add_argument("--role", choices=["viewer", "editor", "owner"], required=True, help="what they may do")
    link = command(
        actions,
        "password-link",
        run,
        "print a link that sets a new password; it works once, within 24 hours",
        "tracker-backend user password-link ann@shop.example",
    )
    remove = command(
        actions,
        "remove",
        run,
        "remove somebody from a project; the account stays",
        "tracker-backend user remove ann@shop.example --project 2",
    )
    delete = command(
        actions,
        "delete",
        run,
        "delete somebody's account, and take them out of every project",
        "tracker-backend user delete ann@shop.example",
    )
    for action in (invite, link, remove, delete):
        action.add_argument("email", help="the person's e-mail")
    add_project_option(invite, remove)


async def run(settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Runs one of them."""
    pool = database.pool
    if options.action == "list":
        return await people.list_accounts(pool)
    if options.action == "password-link":
        return await password_link(settings, pool, options.email)
    if options.action == "delete":
        return await delete(pool, options.email)
    project_id = await project_of(options, database)
    if options.action == "invite":
        return await invite(settings, pool, project_id, options.email, options.role)
    return await remove(pool, project_id, options.email)


async def invite(settings: Settings, pool: Pool, project_id: int, email: str, role: Role) -> Made:
    """An invitation to a project; Invalid for what is no e-mail."""
    normal = people.check_email(email)
    async with pool.acquire() as connection, connection.transaction():
        made = await one_time_links.invite(connection, COMMAND_LINE, project_id, role, normal)
    return Made(_link(settings, made), normal, made.expires_at, project_id, role)


async def password_link(settings: Settings, pool: Pool, email: str) -> Made:
    """A link that sets an account's password; SettingsError where there is no such account."""
    account = await _account(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        made = await one_time_links.offer_password(connection, account.email)
        await people.note_about(connection, COMMAND_LINE, "password link made", account.user_id)
    return Made(_link(settings, made), account.email, made.expires_at)


async def remove(pool: Pool, project_id: int, email: str) -> Removed:
    """Takes a person out of a project; NotFound who is not in it, Invalid for its last owner."""
    account = await _account(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        try:
            member = await people.remove_member(connection, COMMAND_LINE, project_id, account.user_id)
        except NotFound as error:
            raise NotFound(
                f"{account.email} is not in project {project_id}: `tracker-backend user list` shows who is."
            ) from error
    return Removed(account.email, project_id, member.role)


async def delete(pool: Pool, email: str) -> Deleted:
    """Deletes an account; Invalid for the last owner of a project."""
    account = await _account(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        projects = await people.delete_account(connection, COMMAND_LINE, account)
    return Deleted(account.email, projects)


async def _account(pool: Pool, email: str) -> people.Account:
    account = await people.find_account(pool, people.normal_email(email))
    if account is None:
        raise SettingsError(f"nobody has an account of {email}: `tracker-backend user list` shows who has.")
    return account


def _link(settings: Settings, made: one_time_links.NewLink) -> str:
    base = settings.public_url or local_url(settings.host, settings.port)
    return one_time_links.address(base, made.token)
