"""People's accounts, and who may do what in a project."""

from datetime import datetime

from msgspec import Struct

from tracker_backend.accounts import audit, one_time_links
from tracker_backend.accounts.audit import Action
from tracker_backend.accounts.logins import Role
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.storage.pool import Connection, Pool
from tracker_backend.storage.sql import load

LONGEST_EMAIL = 254  # RFC 5321 4.5.3.1.3, without its brackets
_sql = load(__file__, "people")


class Account(Struct, frozen=True):
    """A person who can log in."""

    user_id: int
    email: str
    password_hash: str


class AccountLine(Struct, frozen=True):
    """An account in a list; `roles` by number of the project."""

    user_id: int
    email: str
    created_at: datetime
    roles: dict[int, Role]


class Membership(Struct, frozen=True):
    """A project of a person's."""

    project_id: int
    name: str
    role: Role


class Member(Struct, frozen=True):
    """A person of a project's."""

    user_id: int
    email: str
    role: Role
    created_at: datetime
    """When they joined."""


def normal_email(email: str) -> str:
    """An e-mail as it is stored and compared."""
    return email.strip().lower()


def check_email(email: str) -> str:
    """The e-mail as it is stored; Invalid for what cannot be one."""
    normal = normal_email(email)
    name, _, host = normal.rpartition("@")
    if not name or not host or len(normal) > LONGEST_EMAIL or any(sign.isspace() or sign < " " for sign in normal):
        raise Invalid(f"`email` is {email[:LONGEST_EMAIL]!r}: give an address like ann@shop.example.")
    return normal


async def find_account(pool: Pool | Connection, email: str) -> Account | None:
    """The account of this e-mail."""
    row = await pool.fetchrow(_sql.find_account, email)
    return Account(*row) if row else None


async def get_account(pool: Pool | Connection, user_id: int) -> Account | None:
    """The account of this number; None when it is gone."""
    row = await pool.fetchrow(_sql.get_account, user_id)
    return Account(*row) if row else None


async def create_account(connection: Connection, email: str, password_hash: str) -> int | None:
    """Makes an account and returns its number; None when the e-mail has one already."""
    return await connection.fetchval(_sql.insert_account, email, password_hash)


async def has_accounts(pool: Pool | Connection) -> bool:
    """Whether anybody has an account."""
    return await pool.fetchval(_sql.has_accounts)


async def set_password(connection: Pool | Connection, account: Account, password_hash: str) -> bool:
    """Replaces the hash; False when it was replaced since `account` was read."""
    values = (account.user_id, account.password_hash, password_hash)
    return await connection.fetchval(_sql.set_password, *values) is not None


async def list_accounts(pool: Pool) -> list[AccountLine]:
    """All accounts, oldest first."""
    rows = await pool.fetch(_sql.list_accounts)
    return [AccountLine(*row[:3], roles=dict(zip(row[3], row[4], strict=True))) for row in rows]


async def list_projects(pool: Pool, user_id: int) -> list[Membership]:
    """The projects of a person."""
    return [Membership(*row) for row in await pool.fetch(_sql.list_projects, user_id)]


async def list_members(pool: Pool, project_id: int) -> list[Member]:
    """The people of a project, in the order in which they came."""
    return [Member(*row) for row in await pool.fetch(_sql.list_members, project_id)]


async def set_role(connection: Connection, actor: str, project_id: int, user_id: int, role: Role) -> Member:
    """Gives a member another role, with a line of the audit, in a transaction.

    NotFound for somebody else, Invalid for a project's last owner.
    """
    member = await _locked_member(connection, project_id, user_id)
    if role != "owner":
        await _check_other_owner(connection, project_id, member)
    await connection.execute(_sql.set_role, project_id, user_id, role)
    await _note_member(connection, actor, "role changed", project_id, user_id, before=member.role, role=role)
    return Member(member.user_id, member.email, role, member.created_at)


async def remove_member(connection: Connection, actor: str, project_id: int, user_id: int) -> Member:
    """Takes a member out of a project, with a line of the audit, in a transaction; the account stays.

    NotFound for somebody else, Invalid for a project's last owner.
    """
    member = await _locked_member(connection, project_id, user_id)
    await _check_other_owner(connection, project_id, member)
    await connection.execute(_sql.delete_member, project_id, user_id)
    await _note_member(connection, actor, "person removed", project_id, user_id, role=member.role)
    return member


async def delete_account(connection: Connection, actor: str, account: Account) -> list[int]:
    """Deletes an account with its logins and open links, in a transaction; returns the projects that it was in.

    Invalid for a project's last owner.
    """
    projects: list[int] = [row[0] for row in await connection.fetch(_sql.list_memberships, account.user_id)]
    for project_id in projects:
        member = await _locked_member(connection, project_id, account.user_id)
        await _check_other_owner(connection, project_id, member)
    await note_about(connection, actor, "account deleted", account.user_id)
    await connection.execute(_sql.delete_links, account.email)
    await connection.execute(_sql.delete_account, account.user_id)
    return projects


async def join(connection: Connection, project_id: int, user_id: int, role: Role) -> None:
    """Makes a person a member; of one who is there already the stronger role stays."""
    await connection.execute(_sql.join, project_id, user_id, role)


async def own_everything(connection: Connection, user_id: int) -> None:
    """Makes a person owner of every project that there is."""
    await connection.execute(_sql.join_all, user_id)


async def note(connection: Pool | Connection, user_id: int | None, action: Action) -> None:
    """Writes to the audit log of each project of a person what they did; None: somebody without an account."""
    actor = "somebody without an account" if user_id is None else f"user {user_id}"
    await connection.execute(_sql.note, user_id, actor, action, None)


async def note_about(connection: Pool | Connection, actor: str, action: Action, user_id: int) -> None:
    """Writes to the audit log of each project of a person what was done to their account."""
    await connection.execute(_sql.note, user_id, actor, action, f"user {user_id}")


async def _note_member(
    connection: Connection, actor: str, action: Action, project_id: int, user_id: int, **details: object
) -> None:
    await audit.write(connection, actor, action, project_id=project_id, target=f"user {user_id}", **details)


async def _locked_member(connection: Connection, project_id: int, user_id: int) -> Member:
    """A member, while nobody else can change who is in the project: two owners who demote each other at once would
    leave none.
    """
    await connection.execute(_sql.lock_project, project_id)
    row = await connection.fetchrow(_sql.find_member, project_id, user_id)
    if row is None:
        raise NotFound(f"there is no user {user_id} in project {project_id}.")
    return Member(*row)


async def _check_other_owner(connection: Connection, project_id: int, member: Member) -> None:
    """Before a member loses their role: Invalid for the last owner. Their invitations end with it."""
    if member.role == "owner":
        if not await connection.fetchval(_sql.count_other_owners, project_id, member.user_id):
            raise Invalid(f"{member.email} is the last owner of project {project_id}: make somebody else owner first.")
        await one_time_links.withdraw_of(connection, project_id, member.user_id)
