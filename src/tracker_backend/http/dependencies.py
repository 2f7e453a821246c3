"""What handlers take as parameters beside those of the request: the services, and who calls.

The provider of `caller` authenticates, authorizes for the scope that the route declares, and counts for rate limits.
All of it happens before the handler runs.
"""

from typing import Any

from litestar.di import NamedDependency, Provide
from msgspec import Struct

from tracker_backend.accounts.logins import Person
from tracker_backend.errors import Forbidden, Unauthorized
from tracker_backend.http.caller import Caller
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services, services_of


class Account(Struct, frozen=True):
    """Who calls a route that is not about one project."""

    person: Person | None
    """Who is logged in, perhaps a member of no project."""
    project_id: int
    """The project of a key or of the local caller. For a person, the one that was asked for, else their first, or 0
    if they are a member of no project."""


async def provide_services(request: AnyRequest) -> Services:
    """What the running server holds."""
    return services_of(request)


async def provide_caller(request: AnyRequest, services: NamedDependency[Services]) -> Caller:
    """Who calls, if they may do what the route is declared for; Unauthorized, Forbidden or LimitExceeded."""
    return await services.access.authorize(request)


async def provide_person(request: AnyRequest, services: NamedDependency[Services]) -> Person:
    """The person whose browser calls; Unauthorized when nobody is logged in."""
    return await services.access.authorize_person(request)


async def provide_account(request: AnyRequest, services: NamedDependency[Services]) -> Account:
    """A person, also one who is a member of no project, or a caller who may read."""
    try:
        caller = await services.access.authorize(request, "read")
    except Forbidden:
        try:
            person = await services.access.authorize_person(request)
        except Unauthorized:
            person = None
        if person is None or person.roles:
            raise
        return Account(person, 0)
    return Account(caller.person, caller.project_id)


DEPENDENCIES: dict[str, Any] = {
    "services": Provide(provide_services),
    "caller": Provide(provide_caller),
    "person": Provide(provide_person),
    "account": Provide(provide_account),
}
