"""One caller of each kind, and how they are answered on a route by the scope that it declares; for `test_matrix.py`."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from tests.http.api import PAGE, Json, event, new_session, now
from tests.http.browsers import logged_in
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.accounts.logins import Role
from tracker_backend.app import create_app
from tracker_backend.dialects.registry import DIALECTS
from tracker_backend.http.examples import SCREENSHOT, SESSION_ID
from tracker_backend.http.route_options import DeclaredScope, list_routes
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

Need = Literal[DeclaredScope, "owner"]
"""What a route declares; or `owner`: to be logged in and own a project, of whatever name."""
CANARY = "canary-of-our-project"

STRICTER: dict[str, Need] = {
    "POST /api/v1/projects": "owner",
}
"""Routes that check more than they declare."""
QUERIES: dict[str, Json] = {
    "DELETE /api/v1/project": {"confirm": "ours"},
    "GET /api/v1/visitors/export": {"user_id": CANARY},
}
"""Parameters without which a route cannot be asked."""
OTHERWISE: dict[tuple[str, int], set[int]] = {
    ("POST /events", 401): {404},  # its clients name a project, and without a key are told that there is none for them
}
"""What else may be answered in place of a refusal."""
_ROUTES = list_routes(create_app(Settings(), "postgresql://unused"))
NEEDS: dict[str, Need] = {**{f"{line.method} {line.path}": line.scope for line in _ROUTES}, **STRICTER}
"""What a caller needs, by route. `docs/reference/api.md` lists it too, so that a change is seen."""


class Caller(Struct, frozen=True):
    """A kind of caller: what it may, and how it is refused what it may not."""

    name: str
    may: frozenset[str]
    refused: int
    headers: Json = {}
    parameters: Json = {}
    is_ours: bool = True
    """It belongs to the project, so it may be told of it."""

    def parameters_on(self, need: Need) -> Json:
        """Its parameters; on routes that are not about a project there is none to name."""
        return {} if need in ("login", "owner", "account") else self.parameters

    def status(self, need: Need) -> int | None:
        """How it is refused; None if it is not."""
        if need == "none" or need in self.may or (need == "account" and self.may & {"read", "login"}):
            return None
        # Who calls by a key is nobody who could be logged in.
        return 401 if need in ("login", "owner") and "x-csrf-token" not in self.headers else self.refused


class World(Struct, frozen=True):
    """A project with a caller of each kind, and a session that holds the canary."""

    project_id: int
    session_id: str
    callers: dict[str, Caller]
    found: Json = {}
    """What was found out on the way, such as a screenshot's id."""


async def make_world(services: Services) -> World:
    """A project and its callers, of whom some are another project's."""
    pool = services.pool
    ours, other = [await make_project(pool, name) for name in ("ours", "other")]
    made: dict[str, Caller] = {}

    def add(name: str, refused: int, *may: str, **more: Any) -> None:
        made[name] = Caller(name, frozenset(may), refused, **more)

    async def key(project_id: int, kind: keys.Kind, **more: Any) -> Json:
        return {"x-api-key": await keys.create_key(pool, project_id, kind, **more)}

    of_ours = {"project_id": ours}
    everything = ("write", "read", "edit", "admin")
    admin = await key(ours, "admin")
    revoked = await key(ours, "admin")
    await pool.execute(
        "update tracker.api_keys set revoked_at = now() where key_sha256 = $1", keys.digest(revoked["x-api-key"])
    )
    add("nobody", 401)
    add("an unknown key", 401, headers={"x-api-key": "tb_a_unknown"})
    add("a revoked key", 401, headers=revoked)
    add("an expired key", 401, headers=await key(ours, "admin", expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    add("the public key", 403, "write", headers={"x-api-key": await keys.public_key(pool, ours)})
    add("a write key", 403, "write", headers=await key(ours, "write"))
    add("a read key", 403, "read", headers=await key(ours, "read"))
    add("an admin key", 403, *everything, headers=admin)
    roles: dict[Role, tuple[str, ...]] = {
        "viewer": ("read",),
        "editor": ("read", "edit"),
        "owner": ("read", "edit", "admin", "owner"),
    }
    for role, may in roles.items():
        add(role, 403, *may, "login", headers=await logged_in(services, role, ours), parameters=of_ours)
    add(
        "an owner of another project",
        403,
        "login",
        "owner",
        headers=await logged_in(services, "owner", other),
        parameters=of_ours,
        is_ours=False,
    )
    add(
        "a person without a project",
        403,
        "login",
        headers=await logged_in(services, None, other),
        parameters=of_ours,
        is_ours=False,
    )
    add("somebody logged out", 401, headers=await logged_in(services, "owner", ours, days=-1), parameters=of_ours)
    add("another project's admin key", 403, *everything, headers=await key(other, "admin"), is_ours=False)
    return World(ours, new_session(), made, {})


def filled(path: str, world: World) -> str:
    """The path of a route with our session, project and screenshot in its places."""
    names: Json = {
        "session_id": world.session_id,
        "project_id": world.project_id,
        "screenshot_id": world.found.get("screenshot_id", 1),
        "name": "x",
        "path": "x",
        "prefix": "tb_r_nobody",
        "user_id": 0,
        "invitation_id": 0,
        "erasure_id": SESSION_ID,
        **world.found,
    }
    for name, value in names.items():
        path = path.replace(f"{{{name}}}", str(value))
    return path


EXAMPLES: dict[str, Json] = {route: body for dialect in DIALECTS for route, body in dialect.examples.items()}


def body_of(route: str, world: World) -> Json | None:
    """A body that the route takes, with the canary where it has a place for texts."""
    session = world.session_id
    moment = now().isoformat()
    page = f"{PAGE}/{CANARY}"
    rrweb: list[Json] = [
        {"type": 4, "data": {"href": page, "width": 1, "height": 1}, "timestamp": int(now().timestamp() * 1000)},
        {"type": 5, "data": {"tag": CANARY, "payload": {}}, "timestamp": int(now().timestamp() * 1000)},
    ]
    bodies: dict[str, Json] = {
        "POST /api/v1/sessions": {"session_id": session, "page_url": page, "user_id": CANARY},
        "POST /api/v1/track": {"session_id": session, "events": [event(page_url=page)]},
        "POST /api/v1/track/recording": {"session_id": session, "events": rrweb},
        "POST /api/v1/track/screenshot": {
            "session_id": session,
            "page_url": page,
            "timestamp": moment,
            "image_data": SCREENSHOT["image_data"],
        },
        "POST /api/sessions/start": {"sessionId": session, "appId": "shop", "metadata": {"url": page}},
        "PATCH /api/v1/project": {"name": "new"},
        "POST /api/v1/projects": {"name": "new"},
        "POST /api/v1/keys": {"kind": "read"},
        "POST /api/v1/invitations": {"role": "viewer"},
        "PATCH /api/v1/members/{user_id}": {"role": "viewer"},
        "POST /api/v1/erasures": {"user_id": "nobody"},
        "POST /api/v1/erasures/{erasure_id}/check": {"user_id": "nobody"},
        "POST /events": {"sessionId": session, "projectId": str(world.project_id), "events": rrweb},
    }
    if route in bodies:
        return bodies[route]
    if route in EXAMPLES:
        # Clients of `uxcam` put the key into the body; here it is in the headers, or there is none.
        return {name: value for name, value in EXAMPLES[route].items() if name != "sdk_key"}
    return None if route.startswith(("GET", "WEBSOCKET", "DELETE")) else {}
