"""What handlers take as parameters beside those of the request: the services, and who calls.

`authorize_request` runs before the body is read: it authenticates, authorizes for the scope that the route declares,
and counts for rate limits.
"""

from typing import Any

from litestar.di import Provide

from tracker_backend.accounts.logins import Person
from tracker_backend.http.auth.authentication import has_key
from tracker_backend.http.body_memory import SMALL_BODY, held_bytes
from tracker_backend.http.caller import Account, Caller
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.route_options import option
from tracker_backend.http.services import Services, services_of


async def authorize_request(request: AnyRequest) -> None:
    """Finds who calls, by the headers and the address only, and says how large a body they may send.

    Raises Unauthorized, Forbidden, LimitExceeded, TooLarge or Unavailable. Leaves to the handler a key that stands in
    the body, and a ticket.
    """
    scope = option(request, "scope")
    services = services_of(request)
    access = services.access
    state = request.scope["state"]
    is_known = False
    if scope == "login":
        state["person"] = await access.authorize_person(request)
    elif scope == "account":
        state["account"] = await access.authorize_account(request)
    elif scope not in (None, "none") and not option(request, "takes_tickets"):
        is_known = not option(request, "key_in_body") or has_key(request)
        if is_known:
            state["caller"] = await access.authorize(request)
    if scope in ("write", "none", "login", "edit", "admin"):
        limit = services.settings.max_body if scope == "write" else SMALL_BODY
        announced = request.headers.get("content-length", "0")
        size = int(announced) if announced.isdecimal() else 0
        address = access.addresses.of(request)
        held_bytes(request).expect(address, limit, size, is_known=is_known or scope != "write")


async def provide_services(request: AnyRequest) -> Services:
    """What the running server holds."""
    return services_of(request)


async def provide_caller(request: AnyRequest) -> Caller:
    """Who calls, who may do what the route is declared for."""
    return request.scope["state"]["caller"]


async def provide_person(request: AnyRequest) -> Person:
    """The person whose browser calls."""
    return request.scope["state"]["person"]


async def provide_account(request: AnyRequest) -> Account:
    """A person, also one who is a member of no project, or a caller who may read."""
    return request.scope["state"]["account"]


DEPENDENCIES: dict[str, Any] = {
    "services": Provide(provide_services),
    "caller": Provide(provide_caller),
    "person": Provide(provide_person),
    "account": Provide(provide_account),
}
