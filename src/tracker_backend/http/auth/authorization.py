"""What keys and people may do: the scopes of each kind of key and of each role, and who may send data."""

from datetime import UTC, datetime
from typing import Literal

from litestar.datastructures import Headers

from tracker_backend.accounts.keys import KeyRecord, Kind
from tracker_backend.accounts.logins import Person, Role
from tracker_backend.accounts.project_settings import ProjectSettings
from tracker_backend.errors import Forbidden, Unauthorized
from tracker_backend.http.auth.origin import is_allowed

Scope = Literal["write", "read", "edit", "admin"]
"""`write`: send data. `read`: read it. `edit`: change the project, delete sessions. `admin`: manage people and keys,
erase visitors.
"""
ACTIONS: dict[Scope, str] = {
    "write": "send data",
    "read": "read",
    "edit": "change the project, see its keys or delete sessions",
    "admin": "do what owners do (people, keys, audit log, erasure, archiving or deleting the project)",
}
"""What a scope allows, as error messages say it."""
_KEY_SCOPES: dict[Kind, frozenset[Scope]] = {
    "write": frozenset({"write"}),
    "read": frozenset({"read"}),
    "admin": frozenset({"write", "read", "edit", "admin"}),
}
_ROLE_SCOPES: dict[Role, frozenset[Scope]] = {
    "viewer": frozenset({"read"}),
    "editor": frozenset({"read", "edit"}),
    "owner": frozenset({"read", "edit", "admin"}),
}
_KEY_FOR: dict[Scope, Kind] = {"write": "write", "read": "read", "edit": "admin", "admin": "admin"}


def authorize_key(key: KeyRecord, scope: Scope) -> None:
    """Raises Unauthorized for a key that was revoked or has expired, Forbidden for one of a kind without this scope."""
    if key.revoked_at is not None:
        raise Unauthorized("this key was revoked: use another one.")
    if key.expires_at is not None and key.expires_at <= datetime.now(UTC):
        raise Unauthorized(f"this key expired at {key.expires_at.isoformat()}: use another one.")
    if scope not in _KEY_SCOPES[key.kind]:
        raise Forbidden(f"this is a {key.kind} key: to {ACTIONS[scope]}, use a key of kind {_KEY_FOR[scope]}.")


def authorize_person(person: Person, scope: Scope, project_id: int | None) -> int:
    """The project in which a person acts: the given one, else their first. Forbidden where their role is too low."""
    chosen = next(iter(person.roles), None) if project_id is None else project_id
    if chosen is None or chosen not in person.roles:
        reason = "you are a member of no project" if project_id is None else "you are no member of this project"
        raise Forbidden(f"{reason}: ask an owner for an invitation.")
    role = person.roles[chosen]
    if scope not in _ROLE_SCOPES[role]:
        raise Forbidden(
            "data is sent with a write key, not by a person who is logged in."
            if scope == "write"
            else f"you are {role} of project {chosen}: to {ACTIONS[scope]}, ask an owner for another role."
        )
    return chosen


def check_write(headers: Headers, settings: ProjectSettings, *, is_public: bool, is_archived: bool) -> None:
    """Raises Forbidden where the project is archived, or a public key is used on a page that is not allowed."""
    if is_archived:
        raise Forbidden("this project is archived and takes no data: restore it first.")
    if is_public and settings.allowed_origins:
        origin = headers.get("origin")
        if not is_allowed(origin, settings.allowed_origins):
            sender = "a call without `Origin`" if origin is None else f"the origin {origin}"
            first = "" if origin is None else "add it to the project's `allowed_origins`, or "
            raise Forbidden(
                f"{sender} may not send to this project, only {', '.join(settings.allowed_origins)}: {first}send with a"
                " secret write key."
            )
