"""Two projects that record the same sessions of the same users in the same batches, and every read of one of them."""

from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from litestar import Litestar
from msgspec import Struct

from tests.http.api import API, CHROME, PAGE, Json, event, local, new_session
from tests.http.browsers import logged_in
from tests.http.matrix import NEEDS
from tests.projects import make_project
from tracker_backend.accounts import keys
from tracker_backend.dialects.spectra import examples as spectra
from tracker_backend.dialects.uxcam import examples as uxcam
from tracker_backend.http.examples import SCREENSHOT
from tracker_backend.http.services import Services

PLACES = {"{session_id}": "{session}", "{screenshot_id}": "{screenshot}", "{erasure_id}": "{erasure}"}
"""What stands in a path in place of its parameters, unless `ASKED` says otherwise."""
ASKED = {
    f"GET {API}/sessions": f"{API}/sessions?limit=100&user_id={{user}}",
    f"GET {API}/visitors/export": f"{API}/visitors/export?user_id={{user}}",
    "GET /api/sessions": "/api/sessions?limit=100",
    "GET /api/sessions/{session_id}": "/api/sessions/{text}",
    "GET /api/sessions/{session_id}/replay": "/api/sessions/{text}/replay",
    "GET /api/sessions/{project_id}/{session_id}": "/api/sessions/{project}/{text}",
}
"""Reads that need a query, or a session of another protocol."""
WATCHED = {
    f"{method} {prefix}/sessions/{{session_id}}/live" for method in ("GET", "WEBSOCKET") for prefix in (API, "/api")
}
"""Streams: tests/live/test_two_projects.py."""


def _asked(route: str) -> str:
    path = ASKED.get(route, route.partition(" ")[2])
    for name, place in PLACES.items():
        path = path.replace(name, place)
    return path


READS = {
    route: _asked(route)
    for route, need in NEEDS.items()
    if need != "none" and route.startswith(("GET ", "WEBSOCKET ")) and route not in WATCHED
}
"""Each route that reads something of a project, as it is asked here."""
UNMARKED = {
    f"GET {API}/screenshots/{{screenshot_id}}",  # bytes of an image
    f"GET {API}/erasures",
    f"GET {API}/erasures/{{erasure_id}}",
    f"GET {API}/audit",
    f"GET {API}/config",
    f"GET {API}/me",  # of a person
    "GET /api/sessions",
    "GET /api/sessions/{project_id}/{session_id}",
    "GET /api/stats/today",
}
"""Reads without a place for a text of the visitor or the project."""
CHANGING = {f"GET {API}/audit", f"GET {API}/keys"}
"""Reads that tell of reads themselves."""


ZONES = {"ours": "Asia/Kolkata", "thei": "America/Lima"}
"""By the first letters of a project's mark."""


class Same(Struct, frozen=True):
    """What both projects are sent."""

    session: str = msgspec.field(default_factory=new_session)
    """By `v1` and `reev`."""
    text: str = msgspec.field(default_factory=new_session)
    """By the dialects whose ids are any text; as a UUID it is the stored id in both projects."""
    gone: str = msgspec.field(default_factory=new_session)
    """It is erased at once."""
    user: str = msgspec.field(default_factory=lambda: f"customer-{new_session()}")
    moment: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))


class Team(Struct):
    """One of the projects."""

    project: int
    mark: str
    """It stands in all that the project sends, except a batch that is the same in both."""
    key: Json
    owner: Json
    client: httpx.AsyncClient
    screenshot: int = 0
    erasure: str = ""

    async def send(self, path: str, body: Json, method: str = "POST") -> httpx.Response:
        """A call that must succeed, and of which everything must be stored."""
        answer = await self.client.request(method, path, json=body, headers=self.key)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        assert "x-tracker-dropped" not in answer.headers, path
        return answer


async def make_team(app: Litestar, mark: str) -> Team:
    """A project with an admin key and an owner."""
    services: Services = app.state["services"]
    pool = services.pool
    project = await make_project(pool, mark)
    await pool.execute("update tracker.projects set timezone = $2 where project_id = $1", project, ZONES[mark[:4]])
    await keys.public_key(pool, project)
    key = await keys.create_key(pool, project, "admin", mark)
    owner = await logged_in(services, "owner", project, name=mark)
    client = local(app)
    client.headers["user-agent"] = CHROME  # numbers leave bots out
    return Team(project, mark, {"x-api-key": key}, owner, client)


async def fill(team: Team, same: Same) -> None:
    """The project gets a visitor's sessions by every protocol, and erases another one."""
    await record(team, same)
    await team.send(f"{API}/invitations", {"role": "viewer", "email": f"invited-{team.mark}@example.org"})
    await team.send(f"{API}/track", {"session_id": same.gone, "events": [event()]})
    erased = (await team.send(f"{API}/erasures", {"session_id": same.gone})).json()
    assert erased["removed"]["events"] == 1
    team.erasure = erased["erasure_id"]


async def record(team: Team, same: Same) -> None:
    """What a visitor's pages send."""
    page = f"{PAGE}/{team.mark}"
    at = same.moment.isoformat()
    rrweb: list[Json] = [
        {"type": 4, "data": {"href": page, "width": 1, "height": 1}, "timestamp": int(same.moment.timestamp() * 1000)},
        {"type": 5, "data": {"tag": team.mark, "payload": 1}, "timestamp": int(same.moment.timestamp() * 1000)},
    ]
    started = {"page_url": page, "user_id": same.user, "metadata": {"mark": team.mark}}
    batch = {"session_id": same.session, "batch_id": "the same"}
    await team.send(f"{API}/sessions", {"session_id": same.session, **started})
    await team.send(f"{API}/track", {**batch, "events": [event(page_url=page, timestamp=at)]})
    await team.send(f"{API}/track", {"session_id": same.session, "events": [event(timestamp=at)]})
    await team.send(f"{API}/track/recording", {**batch, "events": rrweb})
    shot = {"session_id": same.session, "page_url": page, "timestamp": at, "image_data": SCREENSHOT["image_data"]}
    team.screenshot = (await team.send(f"{API}/track/screenshot", shot)).json()["screenshot_id"]
    await team.send(f"{API}/sessions/{same.session}/live/ticket", {})
    about = {"url": page, "mark": team.mark}
    start = {"sessionId": same.text, "userId": same.user, "appId": team.mark, "metadata": about}
    await team.send("/api/sessions/start", start)
    custom = {"type": "custom", "eventType": "seen", "data": {"mark": team.mark}, "timestamp": at}
    await team.send(
        f"/api/sessions/{same.text}/events", {**spectra.BATCH, "sessionId": same.text, "customEvents": [custom]}
    )
    await team.send(f"/api/sessions/{same.text}/heartbeat", spectra.HEARTBEAT)
    await team.send("/api/ingest", {"sessionId": same.text, "events": rrweb, "timestamp": rrweb[0]["timestamp"]})
    told = {"type": "seen", "timestamp": at, "data": {"mark": team.mark}}
    uxcam_ids = {"sdk_key": None, "session_id": same.text}
    await team.send("/api/events/ingest", {**uxcam.EVENTS, **uxcam_ids, "events": [told]})
    await team.send("/api/snapshots/ingest", {**uxcam.SNAPSHOTS, **uxcam_ids})
    reev = {"sessionId": same.session, "projectId": str(team.project), "batchId": "reev", "events": rrweb}
    await team.send("/events", reev)


def path_of(route: str, team: Team, same: Same) -> str:
    """How a route is asked."""
    names: Json = {name: getattr(same, name) for name in ("session", "text", "user")}
    of_team: Json = {"screenshot": team.screenshot, "erasure": team.erasure, "project": team.project}
    return READS[route].format(**names, **of_team)


async def answers(team: Team, same: Same) -> dict[str, httpx.Response]:
    """What every read tells this project's callers, by route and kind of caller."""
    found: dict[str, httpx.Response] = {}
    for route in READS:
        path = path_of(route, team, same)
        for kind, headers in (("key", team.key), ("owner", team.owner)):
            parameters: Any = {"project_id": team.project} if kind == "owner" else {}
            url = str(httpx.URL(path).copy_merge_params(parameters))
            found[f"{route} by {kind}"] = await team.client.get(url, headers=headers)
    return found
