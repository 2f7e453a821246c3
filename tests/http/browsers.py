"""Browsers of people: each from an address of its own, so that no test uses up another's attempts."""

import itertools
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import httpx
from litestar import Litestar

from tests.http.api import API, Json, local
from tracker_backend.accounts import keys, one_time_links
from tracker_backend.accounts.audit import COMMAND_LINE
from tracker_backend.accounts.logins import Role
from tracker_backend.http.services import Services

PASSWORD = "a few words together"
_numbers = itertools.count(1)


def new_email() -> str:
    """An e-mail that nobody has used."""
    return f"person-{next(_numbers)}@shop.example"


class Browser:
    """A browser with its cookies; `csrf` is what it sends with writes once it is logged in."""

    def __init__(self, app: Litestar, host: str = "tracker.example") -> None:
        number = next(_numbers)
        self.client: httpx.AsyncClient = local(app, host=host, peer=f"10.1.{number >> 8}.{number & 255}")
        self.csrf: str | None = None
        self.email = ""
        self.user_id = 0

    async def call(self, method: str, path: str, body: object = None, **more: Any) -> httpx.Response:
        """Calls the API as a page of the server does."""
        headers = {"origin": str(self.client.base_url).rstrip("/"), **more.pop("headers", {})}
        if self.csrf is not None:
            headers.setdefault("x-csrf-token", self.csrf)
        if body is not None:
            more["json"] = body
        return await self.client.request(method, f"{API}{path}", headers=headers, **more)

    async def enter(self, path: str, **body: object) -> Json:
        """Logs in by a call that must succeed: `/login` or `/links/use`."""
        answer = await self.call("POST", path, body)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        self.csrf, self.email, self.user_id = found["csrf_token"], found["email"], found["user_id"]
        return found

    async def is_logged_in(self) -> bool:
        """What the server says."""
        return (await self.call("GET", "/me")).status_code == 200

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()


async def invitation(services: Services, project_id: int, role: Role, email: str | None = None) -> str:
    """The token of an invitation, as the command line makes it."""
    async with services.pool.acquire() as connection:
        return (await one_time_links.create_invitation(connection, COMMAND_LINE, project_id, role, email)).token


async def member(app: Litestar, services: Services, project_id: int, role: Role) -> Browser:
    """Somebody new who has joined a project."""
    browser = Browser(app)
    token = await invitation(services, project_id, role)
    await browser.enter("/links/use", token=token, email=new_email(), password=PASSWORD)
    return browser


async def logged_in(
    services: Services, role: Role | None, project_id: int = 1, days: int = 1, name: str | None = None
) -> Json:
    """The headers of a browser in which somebody new of this role is logged in, for so many days; a password would
    only cost time.
    """
    pool, cookies = services.pool, services.access.cookies
    email = f"{name or secrets.token_hex(8)}@example.org"
    user_id = await pool.fetchval(
        "insert into tracker.users (email, password_hash) values ($1, '') returning user_id", email
    )
    if role is not None:
        await pool.execute("insert into tracker.members values ($1, $2, $3)", project_id, user_id, role)
    token, cookie = cookies.make(secure=False)
    ends = datetime.now(UTC) + timedelta(days=days)
    await pool.execute("insert into tracker.logins values ($1, $2, now(), $3)", keys.digest(token), user_id, ends)
    return {"cookie": f"{cookie.key}={cookie.value}", "x-csrf-token": cookies.csrf_token(token)}


def token_of(link: str) -> str:
    """What stands after the # of a link."""
    assert "/join#" in link
    return link.partition("#")[2]


async def invite(browser: Browser, role: Role, email: str | None = None) -> Json:
    """An invitation, which must be made."""
    answer = await browser.call("POST", "/invitations", {"role": role} | ({"email": email} if email else {}))
    assert answer.status_code == 201, answer.text
    return answer.json()


async def roles(browser: Browser) -> dict[str, str]:
    """A project's members by e-mail."""
    answer = await browser.call("GET", "/members")
    assert answer.status_code == 200, answer.text
    return {it["email"]: it["role"] for it in answer.json()}
