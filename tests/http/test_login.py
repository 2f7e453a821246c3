"""Logging in and out: the cookie, other sites' pages, guessed passwords, changed ones."""

from datetime import timedelta
from itertools import product
from typing import Any

import httpx
import pytest
from argon2 import PasswordHasher
from litestar import Litestar

from tests.conftest import running
from tests.http.api import API, check_problem, local, now, row_counts
from tests.http.browsers import PASSWORD, Browser, invitation, member, new_email
from tracker_backend.accounts import logins, one_time_links
from tracker_backend.app import create_app
from tracker_backend.http import ttl_cache
from tracker_backend.http.auth.cookies import NAME
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")


async def lines_of(services: Services, user_id: int) -> list[tuple[int | None, str]]:
    """The audit log's lines of a person, as project and action."""
    rows = await services.pool.fetch(
        "select project_id, action from tracker.audit where actor = $1 order by audit_id", f"user {user_id}"
    )
    return [(row[0], row[1]) for row in rows]


async def test_a_person_logs_in_is_known_and_logs_out(
    standing_app: Litestar, standing_services: Services, project: int, ann: Browser, without_memory: None
) -> None:
    async with Browser(standing_app) as browser:
        found = await browser.enter("/login", email=f"  {ann.email.upper()} ", password=PASSWORD)
        answer = await browser.call("GET", "/me")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.json() == {
            **found,
            "projects": [{"project_id": project, "name": "test", "role": "owner"}],
        }
        assert (await browser.call("GET", "/sessions")).status_code == 200
        cookie = browser.client.cookies[NAME]
        out = await browser.call("POST", "/logout")
        assert out.status_code == 204
        assert NAME not in browser.client.cookies
        browser.client.cookies.set(NAME, cookie)
        assert not await browser.is_logged_in()
        assert (await browser.call("POST", "/logout")).status_code == 204, "once more changes nothing"
    assert await ann.is_logged_in(), "the other browser is"
    acts = ("account made", "person joined", "login", "login", "logout")
    assert await lines_of(standing_services, ann.user_id) == [(project, act) for act in acts]


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
async def test_the_cookie_is_for_this_server_only(
    standing_app: Litestar, ann: Browser, scheme: str, secure: bool
) -> None:
    asgi: Any = standing_app
    transport = httpx.ASGITransport(app=asgi, client=("10.2.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://tracker.example") as client:
        answer = await client.post(f"{API}/login", json={"email": ann.email, "password": PASSWORD})
    parts = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=1209600"} <= parts
    assert ("secure" in parts) == secure
    assert not any(part.startswith("domain") for part in parts)
    assert answer.headers["cache-control"] == "no-store"


async def test_a_changed_cookie_is_nobody(standing_app: Litestar, ann: Browser) -> None:
    cookie = ann.client.cookies[NAME]
    async with Browser(standing_app) as browser:
        right = await browser.call("GET", "/me", headers={"cookie": f"{NAME}={cookie}"})
        assert right.status_code == 200
        for wrong in (cookie[:-1], cookie[1:], cookie.partition(".")[0], f"{'A' * 43}.{cookie.partition('.')[2]}"):
            answer = await browser.call("GET", "/me", headers={"cookie": f"{NAME}={wrong}"})
            check_problem(answer, 401, "unauthorized", "log in first")


async def test_a_logout_is_known_to_every_process_within_a_second(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ttl_cache.SECONDS == 1.0
    settings = Settings(pool_min=1, pool_max=8)
    async with running(create_app(settings, dsn)) as app, running(create_app(settings, dsn)) as other_app:
        here = await member(app, app.state["services"], 1, "owner")
        there = Browser(other_app)
        there.client.cookies.set(NAME, here.client.cookies[NAME])
        assert await there.is_logged_in()
        assert (await here.call("POST", "/logout")).status_code == 204
        monkeypatch.setattr(ttl_cache, "SECONDS", 3600.0)
        assert await there.is_logged_in(), "it has looked within the second"
        monkeypatch.setattr(ttl_cache, "SECONDS", 0.0)  # the second is over
        assert not await there.is_logged_in()
        for browser in (here, there):
            await browser.client.aclose()


WRITES = [
    ("POST", "/invitations", {"role": "viewer"}),
    ("DELETE", "/invitations/1", None),
    ("PATCH", "/members/1", {"role": "viewer"}),
    ("DELETE", "/members/1", None),
    ("POST", "/me/password", {"current": PASSWORD, "new": "some other words"}),
    ("DELETE", "/sessions/6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11", None),
    ("POST", "/logout", None),
]


async def test_a_write_needs_the_token_and_a_page_of_this_server(
    standing_app: Litestar, standing_services: Services, project: int, ann: Browser
) -> None:
    async with await member(standing_app, standing_services, project, "owner") as other:
        token, others = ann.csrf or "", other.csrf or ""
    own = "http://tracker.example"
    before = await row_counts(standing_services.pool)
    for (method, path, body), headers in product(
        WRITES,
        (
            {"x-csrf-token": ""},
            {"x-csrf-token": others},
            {"x-csrf-token": token[:-1]},
            {"origin": "https://evil.example"},
            {"origin": "http://tracker.example.evil.example"},
            {"origin": "http://tracker.example:8080"},
            {"origin": "null"},
        ),
    ):
        answer = await ann.call(method, path, body, headers={"x-csrf-token": token, "origin": own} | headers)
        check_problem(answer, 403, "forbidden")
    assert await row_counts(standing_services.pool) == before
    for method, path, body in WRITES:
        answer = await ann.call(method, path, body, headers={"x-csrf-token": token, "origin": own})
        assert answer.status_code in (201, 204, 404), answer.text


async def test_another_site_can_neither_log_a_browser_in_nor_use_a_link(standing_app: Litestar, ann: Browser) -> None:
    sent = {"email": ann.email, "password": PASSWORD}
    async with Browser(standing_app) as browser:
        for path in ("/login", "/links/use", "/links/look"):
            for origin in ("https://evil.example", "null"):
                answer = await browser.call("POST", path, sent, headers={"origin": origin})
                check_problem(answer, 403, "forbidden", "another site")
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
                answer = await browser.call("POST", path, sent, headers={"content-type": kind})
                check_problem(answer, 400, "malformed", "Content-Type: application/json")
        assert not browser.client.cookies


async def test_people_come_in_behind_a_proxy_that_passes_on_another_host(dsn: str) -> None:
    settings = Settings(pool_min=1, pool_max=8, public_url="https://tracker.example/sub/")
    async with running(create_app(settings, dsn)) as app, Browser(app, host="backend:8080") as browser:
        token = await invitation(app.state["services"], 1, "owner")
        sent = {"token": token, "email": new_email(), "password": PASSWORD}
        for origin, status in (("https://evil.example", 403), ("https://tracker.example", 200)):
            for path in ("/links/look", "/links/use", "/login"):
                answer = await browser.call("POST", path, sent, headers={"origin": origin})
                assert answer.status_code == status, (path, origin, answer.text)


@pytest.mark.usefixtures("real_passwords")
async def test_no_answer_tells_whether_there_is_an_account(
    standing_app: Litestar, standing_services: Services, ann: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    verify = PasswordHasher.verify

    def spy(self: PasswordHasher, stored: Any, password: Any) -> Any:
        checked.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    lines = await standing_services.pool.fetchval("select count(*) from tracker.audit")
    unknown = new_email()
    async with Browser(standing_app) as one, Browser(standing_app) as two:
        known_answer = await one.call("POST", "/login", {"email": ann.email, "password": "some other words"})
        unknown_answer = await two.call("POST", "/login", {"email": unknown, "password": "some other words"})
        check_problem(known_answer, 401, "login-refused")
        assert known_answer.content == unknown_answer.content
        assert known_answer.headers == unknown_answer.headers
        assert not one.client.cookies
    assert len(checked) == 2, "both took the work"
    assert checked[0].rpartition("$")[0].split("$")[:4] == checked[1].rpartition("$")[0].split("$")[:4]
    assert await standing_services.pool.fetchval("select count(*) from tracker.audit") == lines + 2
    told = "".join(row[0] for row in await standing_services.pool.fetch("select a::text from tracker.audit a"))
    assert unknown not in told
    assert "some other words" not in told
    assert (await lines_of(standing_services, ann.user_id))[-1][1] == "login refused"


async def test_guessing_ends_after_some_attempts_from_an_address_and_on_an_account(dsn: str) -> None:
    settings = Settings(pool_min=1, pool_max=8, limit_login=3)  # so that a slow machine gets none back meanwhile
    async with running(create_app(settings, dsn)) as app:
        services: Services = app.state["services"]
        async with await member(app, services, 1, "owner") as ann, Browser(app) as guesser:
            for _ in range(3):
                answer = await guesser.call("POST", "/login", {"email": new_email(), "password": "guessed"})
                assert answer.status_code == 401
            answer = await guesser.call("POST", "/login", {"email": ann.email, "password": PASSWORD})
            check_problem(answer, 429, "limit-exceeded")
            assert int(answer.headers["retry-after"]) > 0
            token = await invitation(services, 1, "viewer")
            sent = {"email": ann.email, "password": "guessed words"}
            statuses: list[int] = []
            for path, body in (("/login", sent), ("/links/use", sent | {"token": token}), *[("/login", sent)] * 2):
                async with Browser(app) as other_address:
                    statuses.append((await other_address.call("POST", path, body)).status_code)
            assert statuses == [401, 401, 401, 429]
            tried = {"current": "guessed words", "new": "some other words"}
            statuses = [(await ann.call("POST", "/me/password", tried)).status_code for _ in range(4)]
            assert statuses == [403, 403, 403, 429]


async def test_who_guesses_does_not_lock_an_owner_out_of_a_browser_that_they_have_used(dsn: str) -> None:
    settings = Settings(pool_min=1, pool_max=8, limit_login=1)  # so that a slow machine gets none back meanwhile
    async with running(create_app(settings, dsn)) as app:
        services: Services = app.state["services"]
        named = services.access.cookies.device_name

        async def log_in(browser: Browser, email: str, password: str, device: str | None = None) -> int:
            if device is not None:
                browser.client.cookies.set(named(email), device)
            return (await browser.call("POST", "/login", {"email": email, "password": password})).status_code

        async def attempt(email: str, password: str, device: str | None = None) -> int:
            """From an address of its own."""
            async with Browser(app) as browser:
                return await log_in(browser, email, password, device)

        devices: list[str] = []
        emails: list[str] = []
        for _ in range(2):
            async with await member(app, services, 1, "owner") as person:
                assert (await person.call("POST", "/logout")).status_code == 204
                devices.append(person.client.cookies[named(person.email)])
                emails.append(person.email)
        ann, bob = emails
        anns, bobs = devices
        async with Browser(app) as guesser:
            assert await log_in(guesser, ann, "guessed words") == 401
            assert await attempt(ann, PASSWORD) == 429, "a browser that nobody knows"
            assert await attempt(ann, PASSWORD, bobs) == 429, "one that is known for somebody else's"
            assert await log_in(guesser, ann, PASSWORD, anns) == 200, "also from the guesser's address"
        assert await attempt(ann, PASSWORD, anns) == 429, "it may have been stolen"
        assert await attempt(bob, PASSWORD) == 200
        async with services.pool.acquire() as connection:
            token = (await one_time_links.create_password_link(connection, ann)).token
        async with Browser(app) as browser:
            await browser.enter("/links/use", token=token, email=ann, password="some other words")


async def test_a_known_browser_keeps_its_name_so_that_each_login_brings_no_new_attempts(
    standing_app: Litestar, standing_services: Services, ann: Browser
) -> None:
    email = ann.email
    name = standing_services.access.cookies.device_name(email)
    before = ann.client.cookies[name]
    async with await member(standing_app, standing_services, 1, "viewer") as bob:
        # Somebody else with the same browser.
        await ann.enter("/login", email=bob.email, password=PASSWORD)
    await ann.enter("/login", email=email, password=PASSWORD)
    assert ann.client.cookies[name] == before
    async with Browser(standing_app) as other:
        await other.enter("/login", email=email, password=PASSWORD)
        assert other.client.cookies[name] != before


async def test_a_person_changes_the_password_and_all_other_browsers_are_out(
    standing_app: Litestar, standing_services: Services, ann: Browser, without_memory: None
) -> None:
    async with Browser(standing_app) as other, Browser(standing_app) as third:
        await other.enter("/login", email=ann.email, password=PASSWORD)
        wrong = await ann.call("POST", "/me/password", {"current": "not this one", "new": "some other words"})
        check_problem(wrong, 403, "forbidden", "`current`")
        for bad, told in (("short", "5 characters"), (ann.email, "is the e-mail")):
            answer = await ann.call("POST", "/me/password", {"current": PASSWORD, "new": bad})
            check_problem(answer, 422, "invalid", told)
        assert await other.is_logged_in()
        done = await ann.call("POST", "/me/password", {"current": PASSWORD, "new": "some other words"})
        assert done.status_code == 204, done.text
        assert await ann.is_logged_in()
        assert not await other.is_logged_in()
        refused = await third.call("POST", "/login", {"email": ann.email, "password": PASSWORD})
        check_problem(refused, 401, "login-refused")
        await third.enter("/login", email=ann.email, password="some other words")
    assert (await lines_of(standing_services, ann.user_id))[-3:] == [
        (project, act)
        for project, act in zip(
            [(await ann.call("GET", "/me")).json()["projects"][0]["project_id"]] * 3,
            ("password changed", "login refused", "login"),
            strict=True,
        )
    ]


@pytest.mark.usefixtures("real_passwords")
async def test_a_hash_of_older_parameters_is_renewed_at_a_login(
    standing_app: Litestar, standing_services: Services, ann: Browser
) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    await standing_services.pool.execute(
        "update tracker.users set password_hash = $2 where user_id = $1", ann.user_id, old
    )
    async with Browser(standing_app) as browser:
        await browser.enter("/login", email=ann.email, password=PASSWORD)
        await browser.enter("/login", email=ann.email, password=PASSWORD)
    stored = await standing_services.pool.fetchval(
        "select password_hash from tracker.users where user_id = $1", ann.user_id
    )
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


async def test_a_browser_has_one_login_and_none_by_a_password_that_was_changed_meanwhile(
    standing_services: Services, ann: Browser, without_memory: None
) -> None:
    before = ann.client.cookies[NAME]
    await ann.enter("/login", email=ann.email, password=PASSWORD)
    after = ann.client.cookies[NAME]
    ann.client.cookies.set(NAME, before, domain="tracker.example", path="/")
    assert not await ann.is_logged_in()
    assert after != before
    async with standing_services.pool.acquire() as connection:
        until = now() + timedelta(days=1)
        assert not await logins.log_in(connection, b"token", ann.user_id, "the hash before", until)
        assert not await standing_services.pool.fetchval(
            "select count(*) from tracker.logins where token_sha256 = 'token'"
        )


async def test_strange_input_is_answered_with_a_text(standing_app: Litestar) -> None:
    async with Browser(standing_app) as browser:
        strange: list[tuple[object, int]] = [
            ({"email": "a\0b@c.example", "password": "x"}, 422),
            ({"email": "a@c.example"}, 422),
            ({"email": "a" * 300, "password": "x"}, 422),
            ({"email": "a@c.example", "password": "x" * 2000}, 422),
            ({"email": 1, "password": "x"}, 422),
            ([], 422),
        ]
        for body, status in strange:
            answer = await browser.call("POST", "/login", body)
            check_problem(answer, status, "invalid")
        for text in (b"", b"{", b'{"email": "\\ud800", "password": "x"}', b"\xff"):
            answer = await browser.call("POST", "/login", content=text, headers={"content-type": "application/json"})
            check_problem(answer, 400, "malformed")
        large = await browser.call("POST", "/login", {"email": "a", "password": "x", "more": "y" * 70_000})
        check_problem(large, 413, "too-large")


async def test_a_key_needs_no_token_and_a_local_caller_is_nobody(
    standing_app: Litestar, standing_services: Services
) -> None:
    async with local(standing_app) as client:
        check_problem(await client.get(f"{API}/me"), 401, "unauthorized", "log in first")
        assert (await client.post(f"{API}/invitations", json={"role": "owner"})).status_code == 401
