"""Who calls: what authentication finds out."""

from msgspec import Struct

from tracker_backend.accounts.logins import Person
from tracker_backend.accounts.project_settings import ProjectSettings


class Caller(Struct, frozen=True):
    """Who calls, in which project: by a key, as a person who is logged in, or locally without a key."""

    project_id: int
    actor: str
    """The caller's name in the audit log: `key tb_r_AbCdE`, `user 7`, `local`."""
    settings: ProjectSettings
    person: Person | None = None
    key: bytes | None = None
    """The SHA-256 of the caller's key."""
    login: bytes | None = None
    """The SHA-256 of the login token, of a person."""

    @property
    def is_keyless(self) -> bool:
        """Whether the caller is local, with neither a key nor a login."""
        return self.key is None and self.login is None


class Account(Struct, frozen=True):
    """Who calls a route that is not about one project."""

    person: Person | None
    """Who is logged in, perhaps a member of no project."""
    project_id: int
    """The project of a key or of the local caller. For a person, the one that was asked for, else their first, or 0
    if they are a member of no project."""
