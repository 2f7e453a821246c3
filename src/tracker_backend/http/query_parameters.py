"""Refuses query parameters that a route does not have: a filter that is misspelled would answer with everything.

What a route has is what its handler and its dependencies declare, and what authenticates a call. Files and pages are
not checked: an address may have anything behind the `?` to get past a cache.
"""

from typing import cast

from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from litestar.routes import ASGIRoute, HTTPRoute

from tracker_backend.errors import Invalid
from tracker_backend.http.request import Connection

_OPTION = "query_parameters"
_OF_CALLERS = frozenset({"key", "project_id"})
"""What `authentication` reads: a public key, and which of their projects a person means."""
_SHOWN = 60


def collect_query_parameters(app: Litestar) -> None:
    """Notes at each handler which parameters it has; at start-up."""
    for route in app.routes:
        if isinstance(route, ASGIRoute):
            continue
        pairs = (
            route.route_handler_map.values()
            if isinstance(route, HTTPRoute)
            else [(route.route_handler, route.handler_parameter_model)]
        )
        for handler, model in pairs:
            assert model is not None  # noqa: S101 — routes of an app have one
            declared = frozenset(it.field_alias for it in model.expected_query_params)
            has_caller = handler.opt.get("scope", "none") != "none"
            handler.opt[_OPTION] = declared | (_OF_CALLERS if has_caller else frozenset())


def check_query_parameters(connection: Connection) -> None:
    """Raises Invalid for a parameter that the connection's route does not have, with the list of those it has."""
    if not connection.scope["query_string"]:
        return
    handler = cast("BaseRouteHandler", connection.scope["route_handler"])
    known: frozenset[str] = handler.opt[_OPTION]
    unknown = sorted(set(connection.query_params.keys()) - known)
    if unknown:
        names = ", ".join(f"`{name[:_SHOWN]}`" for name in unknown[:5])
        listed = ", ".join(sorted(known)) or "none"
        raise Invalid(f"{names}: there is no such query parameter here. This call has: {listed}.")
