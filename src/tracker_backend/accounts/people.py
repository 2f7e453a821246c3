"""Accounts of people, and their roles in projects."""

from datetime import datetime

from msgspec import Struct

from tracker_backend.accounts import audit, one_time_links
from tracker_backend.accounts.audit import Action
from tracker_backend.accounts.logins import Role
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

MAX_EMAIL_LENGTH = 254  # RFC 5321 4.5.3.1.3, without its brackets
_sql = load(__file__, "people")


class Account(Struct, frozen=True):
    """A person who can log in."""

    user_id: int
    email: str
    password_hash: str


class AccountLine(Struct, frozen=True):
    """An account in a list. `roles` maps project ids to roles."""

    user_id: int
    email: str
    created_at: datetime
    roles: dict[int, Role]


class Membership(Struct, frozen=True):
    """A project that a person is a member of."""

    project_id: int
    name: str
    role: Role


class Member(Struct, frozen=True):
    """A member of a project."""

    user_id: int
    email: str
    role: Role
    created_at: datetime
    """When the person joined."""


def normalize_email(email: str) -> str:
    """Return an e-mail as it is stored and compared."""
    return email.strip().lower()


def check_email(email: str) -> str:
    """Return a normalized e-mail. Raises Invalid if it is not an e-mail."""
    normalized = normalize_email(email)
    name, _, host = normalized.rpartition("@")
    if not name or not host or len(normalized) > MAX_EMAIL_LENGTH or _has_spaces(normalized):
        raise Invalid(f"`email` is {email[:MAX_EMAIL_LENGTH]!r}: give an address like ann@shop.example.")
    return normalized


def _has_spaces(text: str) -> bool:
    return any(character.isspace() or character < " " for character in text)


async def find_account(pool: Pool | Connection, email: str) -> Account | None:
    """Return the account with this normalized e-mail; None if there is none."""
    row = await pool.fetchrow(_sql.find_account, email)
    return Account(*row) if row else None


async def get_account(pool: Pool | Connection, user_id: int) -> Account | None:
    """Return the account with this id; None if there is none."""
    row = await pool.fetchrow(_sql.get_account, user_id)
    return Account(*row) if row else None


async def create_account(connection: Connection, email: str, password_hash: str) -> int | None:
    """Create an account and return its id; None if the e-mail has an account already."""
    return await connection.fetchval(_sql.insert_account, email, password_hash)


async def has_accounts(pool: Pool | Connection) -> bool:
    """Return whether there is any account."""
    return await pool.fetchval(_sql.has_accounts)


async def set_password(connection: Pool | Connection, account: Account, password_hash: str) -> bool:
    """Replace the password hash. Returns False if it changed since `account` was read."""
    values = (account.user_id, account.password_hash, password_hash)
    return await connection.fetchval(_sql.set_password, *values) is not None


async def list_accounts(pool: Pool) -> list[AccountLine]:
    """Return all accounts, oldest first."""
    rows = await pool.fetch(_sql.list_accounts)
    return [AccountLine(*row[:3], roles=dict(zip(row[3], row[4], strict=True))) for row in rows]


async def list_projects(pool: Pool, user_id: int) -> list[Membership]:
    """Return the projects of a person with their roles."""
    return [Membership(*row) for row in await pool.fetch(_sql.list_projects, user_id)]


async def list_members(pool: Pool, project_id: int) -> list[Member]:
    """Return the members of a project, in the order in which they joined."""
    return [Member(*row) for row in await pool.fetch(_sql.list_members, project_id)]


async def set_role(connection: Connection, actor: str, project_id: int, user_id: int, role: Role) -> Member:
    """Change the role of a member and write the audit log. Call it in a transaction.

    Raises NotFound if the user is no member, Invalid for the last owner.
    """
    member = await _locked_member(connection, project_id, user_id)
    if role != "owner":
        await _check_other_owner(connection, project_id, member)
    await connection.execute(_sql.set_role, project_id, user_id, role)
    await _audit_member(connection, actor, "role changed", project_id, user_id, before=member.role, role=role)
    return Member(member.user_id, member.email, role, member.created_at)


async def remove_member(connection: Connection, actor: str, project_id: int, user_id: int) -> Member:
    """Remove a member from a project and write the audit log. The account stays. Call it in a transaction.

    Raises NotFound if the user is no member, Invalid for the last owner.
    """
    member = await _locked_member(connection, project_id, user_id)
    await _check_other_owner(connection, project_id, member)
    await connection.execute(_sql.delete_member, project_id, user_id)
    await _audit_member(connection, actor, "person removed", project_id, user_id, role=member.role)
    return member


async def delete_account(connection: Connection, actor: str, account: Account) -> list[int]:
    """Delete an account with its logins and open links, and return the ids of its projects. Call it in a transaction.

    Raises Invalid for the last owner of a project.
    """
    projects: list[int] = [row[0] for row in await connection.fetch(_sql.list_memberships, account.user_id)]
    for project_id in projects:
        member = await _locked_member(connection, project_id, account.user_id)
        await _check_other_owner(connection, project_id, member)
    await audit_action_on(connection, actor, "account deleted", account.user_id)
    await connection.execute(_sql.delete_links, account.email)
    await connection.execute(_sql.delete_account, account.user_id)
    return projects


async def join(connection: Connection, project_id: int, user_id: int, role: Role) -> None:
    """Make a person a member. If they are a member already, the role with more rights stays."""
    await connection.execute(_sql.join, project_id, user_id, role)


async def make_owner_of_all_projects(connection: Connection, user_id: int) -> None:
    """Make a person owner of all projects."""
    await connection.execute(_sql.join_all_projects, user_id)


async def audit_own_action(connection: Pool | Connection, user_id: int | None, action: Action) -> None:
    """Write an action of a person to the audit log of each of their projects. `user_id` is None without an account."""
    actor = "somebody without an account" if user_id is None else f"user {user_id}"
    await connection.execute(_sql.write_audit, user_id, actor, action, None)


async def audit_action_on(connection: Pool | Connection, actor: str, action: Action, user_id: int) -> None:
    """Write an action on a person's account to the audit log of each of their projects."""
    await connection.execute(_sql.write_audit, user_id, actor, action, f"user {user_id}")


async def _audit_member(
    connection: Connection, actor: str, action: Action, project_id: int, user_id: int, **details: object
) -> None:
    await audit.write(connection, actor, action, project_id=project_id, target=f"user {user_id}", **details)


async def _locked_member(connection: Connection, project_id: int, user_id: int) -> Member:
    """Lock the members of a project and return one of them; raises NotFound.

    Without the lock, two owners who demote each other at the same time would leave no owner.
    """
    await connection.execute(_sql.lock_project, project_id)
    row = await connection.fetchrow(_sql.find_member, project_id, user_id)
    if row is None:
        raise NotFound(f"user {user_id} is not a member of project {project_id}.")
    return Member(*row)


async def _check_other_owner(connection: Connection, project_id: int, member: Member) -> None:
    """Raise Invalid for the last owner. Another owner loses the open invitations with the role."""
    if member.role == "owner":
        if not await connection.fetchval(_sql.count_other_owners, project_id, member.user_id):
            raise Invalid(f"{member.email} is the last owner of project {project_id}: make somebody else owner first.")
        await one_time_links.withdraw_invitations_of(connection, project_id, member.user_id)
