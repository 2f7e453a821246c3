"""What the app needs to know of a dialect. `registry.py` lists all of them."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from msgspec import Struct


class Dialect(Struct, frozen=True):
    """A foreign tracker's protocol: its routes and what `/docs` says of it."""

    name: str
    """Also the OpenAPI tag of its routes."""
    summary: str
    """The text of that tag."""
    routes: list[BaseRouteHandler]
    """Its handlers. Those of `dialects/sessions.py` belong to several dialects: each of them lists them."""
    examples: dict[str, dict[str, Any]]
    """A body that each write route accepts, by method and path: `POST /api/ingest`."""
    session_field: str = "sessionId"
    """The member of these bodies that names the session."""
    lifespan: Callable[[Litestar], AbstractAsyncContextManager[None]] | None = None
    """Opens what its handlers share, in `app.state`, and closes it when the server ends."""
