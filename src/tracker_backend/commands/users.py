"""The command `user`: invite, list and remove people.

One-time links begin with TRACKER_PUBLIC_URL; if it is not set, with the address of this machine.
"""

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


class CreatedLink(Struct, frozen=True):
    """A new one-time link. It is not shown again."""

    link: str
    email: str
    expires_at: datetime
    project_id: int | None = None
    role: Role | None = None


class RemovedMember(Struct, frozen=True):
    """A person who was removed from a project, with the role they had."""

    email: str
    project_id: int
    role: Role


class DeletedAccount(Struct, frozen=True):
    """An account that was deleted."""

    email: str
    projects: list[int]
    """The projects that the person was a member of."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `user`."""
    actions = add_actions(parser)
    command(actions, "list", run, "list all accounts with their role in each project", "tracker-backend user list")
    invite = command(
        actions,
        "invite",
        run,
        "print a link that invites a person to a project; it works once, within seven days",
        "tracker-backend user invite ann@shop.example --role editor --project 2",
    )
    invite.add_argument(
        "--role", choices=["viewer", "editor", "owner"], required=True, help="role of the person in the project"
    )
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
        "remove a person from a project; the account stays",
        "tracker-backend user remove ann@shop.example --project 2",
    )
    delete = command(
        actions,
        "delete",
        run,
        "delete an account and remove the person from all projects",
        "tracker-backend user delete ann@shop.example",
    )
    for action in (invite, link, remove, delete):
        action.add_argument("email", help="e-mail of the person")
    add_project_option(invite, remove)


async def run(settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Run an action."""
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


async def invite(settings: Settings, pool: Pool, project_id: int, email: str, role: Role) -> CreatedLink:
    """Create an invitation to a project. Raises Invalid for an invalid e-mail."""
    normal = people.check_email(email)
    async with pool.acquire() as connection, connection.transaction():
        link = await one_time_links.create_invitation(connection, COMMAND_LINE, project_id, role, normal)
    return CreatedLink(_link_address(settings, link), normal, link.expires_at, project_id, role)


async def password_link(settings: Settings, pool: Pool, email: str) -> CreatedLink:
    """Create a link that sets the password of an account. Raises SettingsError if the account does not exist."""
    account = await _account(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        link = await one_time_links.create_password_link(connection, account.email)
        await people.audit_action_on(connection, COMMAND_LINE, "password link made", account.user_id)
    return CreatedLink(_link_address(settings, link), account.email, link.expires_at)


async def remove(pool: Pool, project_id: int, email: str) -> RemovedMember:
    """Remove a person from a project. Raises NotFound if they are no member, Invalid for the last owner."""
    account = await _account(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        try:
            member = await people.remove_member(connection, COMMAND_LINE, project_id, account.user_id)
        except NotFound as error:
            raise NotFound(
                f"{account.email} is not a member of project {project_id}: `tracker-backend user list` lists members."
            ) from error
    return RemovedMember(account.email, project_id, member.role)


async def delete(pool: Pool, email: str) -> DeletedAccount:
    """Delete an account. Raises Invalid for the last owner of a project."""
    account = await _account(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        projects = await people.delete_account(connection, COMMAND_LINE, account)
    return DeletedAccount(account.email, projects)


async def _account(pool: Pool, email: str) -> people.Account:
    account = await people.find_account(pool, people.normalize_email(email))
    if account is None:
        raise SettingsError(f"there is no account for {email}: `tracker-backend user list` lists all accounts.")
    return account


def _link_address(settings: Settings, link: one_time_links.NewLink) -> str:
    base = settings.public_url or local_url(settings.host, settings.port)
    return one_time_links.address(base, link.token)
