"""Links that work once, in time, and for whom they are."""

import asyncio

import pytest
from litestar import Litestar

from tests.conftest import running
from tests.http.api import check_problem
from tests.http.browsers import PASSWORD, Browser, invitation, invite, new_email, roles, token_of
from tests.projects import make_project
from tracker_backend.accounts.expired_logins import delete_expired_logins
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.usefixtures("without_memory")


async def test_it_works_once(standing_app: Litestar, ann: Browser, stranger: Browser) -> None:
    token = token_of((await invite(ann, "viewer"))["link"])
    await stranger.enter("/links/use", token=token, email=new_email(), password=PASSWORD)
    async with Browser(standing_app) as late:
        sent = {"token": token, "email": new_email(), "password": PASSWORD}
        check_problem(await late.call("POST", "/links/use", sent), 404, "not-found", "used already")
        check_problem(await late.call("POST", "/links/look", {"token": token}), 404, "not-found", "used already")
        assert not late.client.cookies


async def test_of_many_who_use_it_at_once_one_wins(
    standing_app: Litestar, standing_services: Services, project: int, ann: Browser
) -> None:
    token = token_of((await invite(ann, "viewer"))["link"])
    browsers = [Browser(standing_app) for _ in range(5)]
    sent = [{"token": token, "email": new_email(), "password": PASSWORD} for _ in browsers]
    answers = await asyncio.gather(
        *(browser.call("POST", "/links/use", body) for browser, body in zip(browsers, sent, strict=True))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404, 404]
    assert len(await roles(ann)) == 2
    made = await standing_services.pool.fetchval(
        "select count(*) from tracker.users where email = any($1)", [body["email"] for body in sent]
    )
    assert made == 1, "those who lost have no account"
    for browser in browsers:
        await browser.client.aclose()


async def test_it_ends_with_its_time(standing_services: Services, ann: Browser, stranger: Browser) -> None:
    made = await invite(ann, "viewer")
    await standing_services.pool.execute(
        "update tracker.links set expires_at = now() - interval '1 second' where link_id = $1",
        made["invitation_id"],
    )
    sent = {"token": token_of(made["link"]), "email": new_email(), "password": PASSWORD}
    check_problem(await stranger.call("POST", "/links/use", sent), 404, "not-found", "worked until")
    assert (await ann.call("GET", "/invitations")).json() == []


async def test_it_works_for_nobody_else(ann: Browser, stranger: Browser, standing_app: Litestar) -> None:
    email = new_email()
    token = token_of((await invite(ann, "editor", email))["link"])
    sent = {"token": token, "email": new_email(), "password": PASSWORD}
    check_problem(await stranger.call("POST", "/links/use", sent), 403, "forbidden", "somebody else's e-mail")
    async with Browser(standing_app) as guest:
        await guest.enter("/links/use", token=token, email=f" {email.upper()}", password=PASSWORD)
        assert guest.email == email


async def test_one_that_was_withdrawn_is_not_known(ann: Browser, stranger: Browser) -> None:
    made = await invite(ann, "viewer")
    assert (await ann.call("DELETE", f"/invitations/{made['invitation_id']}")).status_code == 204
    check_problem(await ann.call("DELETE", f"/invitations/{made['invitation_id']}"), 404, "not-found")
    for token in (token_of(made["link"]), "", "x" * 100, "\0"):
        check_problem(await stranger.call("POST", "/links/look", {"token": token}), 404, "not-found", "not known")


async def test_a_bad_password_or_email_uses_nothing_up(ann: Browser, stranger: Browser) -> None:
    token = token_of((await invite(ann, "viewer"))["link"])
    for email, password, told in (
        (new_email(), "short", "the password"),
        ("no address", PASSWORD, "`email`"),
        ("@", PASSWORD, "`email`"),
        ("a b@c.example", PASSWORD, "`email`"),
    ):
        answer = await stranger.call("POST", "/links/use", {"token": token, "email": email, "password": password})
        check_problem(answer, 422, "invalid", told)
    assert (await stranger.call("POST", "/links/look", {"token": token})).status_code == 200


async def test_a_password_that_is_refused_does_not_tell_whether_there_is_an_account(
    ann: Browser, stranger: Browser
) -> None:
    token = token_of((await invite(ann, "viewer"))["link"])
    for password in ("short", "p" * 300):
        sent = {"token": token, "password": password}
        known = await stranger.call("POST", "/links/use", sent | {"email": ann.email})
        unknown = await stranger.call("POST", "/links/use", sent | {"email": new_email()})
        check_problem(known, 422, "invalid", "the password")
        assert (known.status_code, known.content) == (unknown.status_code, unknown.content)


async def test_guessing_links_ends_after_some_attempts(dsn: str) -> None:
    settings = Settings(pool_min=1, pool_max=8, limit_keyless=2)
    async with running(create_app(settings, dsn)) as app, Browser(app) as guesser, Browser(app) as other:
        for token in ("one", "two"):
            assert (await guesser.call("POST", "/links/look", {"token": token})).status_code == 404
        sent = {"token": "three", "email": new_email(), "password": PASSWORD}
        for path, body in (("/links/look", {"token": "three"}), ("/links/use", sent)):
            check_problem(await guesser.call("POST", path, body), 429, "limit-exceeded")
        token = await invitation(app.state["services"], 1, "viewer")
        for _ in range(4):
            assert (await other.call("POST", "/links/look", {"token": token})).status_code == 200, "no guess"


async def test_an_existing_account_joins_by_its_password_which_stays(
    standing_app: Litestar, standing_services: Services, ann: Browser, stranger: Browser
) -> None:
    other = await make_project(standing_services.pool, "second")
    token = await invitation(standing_services, other, "editor")
    sent = {"token": token, "email": ann.email, "password": "a password of a thief"}
    check_problem(await stranger.call("POST", "/links/use", sent), 401, "login-refused")
    await stranger.enter("/links/use", token=token, email=ann.email, password=PASSWORD)
    assert stranger.user_id == ann.user_id
    me = (await ann.call("GET", "/me")).json()
    assert [(it["name"], it["role"]) for it in me["projects"]] == [("test", "owner"), ("second", "editor")]
    async with Browser(standing_app) as again:
        await again.enter("/login", email=ann.email, password=PASSWORD)


async def test_who_is_logged_in_joins_without_a_password(
    standing_services: Services, ann: Browser, stranger: Browser
) -> None:
    other = await make_project(standing_services.pool, "second")
    token = await invitation(standing_services, other, "editor")
    check_problem(await stranger.call("POST", "/links/use", {"token": token}), 401, "unauthorized", "log in first")
    forged = await ann.call("POST", "/links/use", {"token": token}, headers={"x-csrf-token": ""})
    check_problem(forged, 403, "forbidden", "X-CSRF-Token")
    for_others = await invitation(standing_services, other, "owner", new_email())
    check_problem(await ann.call("POST", "/links/use", {"token": for_others}), 403, "forbidden", "somebody else's")
    assert (await ann.call("POST", "/links/use", {"token": token})).json() == {
        "user_id": ann.user_id,
        "email": ann.email,
        "csrf_token": ann.csrf,
    }
    assert len((await ann.call("GET", "/me")).json()["projects"]) == 2


async def test_a_weaker_invitation_takes_no_role_away(standing_services: Services, project: int, ann: Browser) -> None:
    for role in ("viewer", "editor"):
        token = await invitation(standing_services, project, role)
        assert (await ann.call("POST", "/links/use", {"token": token})).status_code == 200
    assert await roles(ann) == {ann.email: "owner"}
    answer = await ann.call("POST", "/invitations", {"role": "viewer", "email": ann.email})
    check_problem(answer, 422, "invalid", "is owner of this project already")


async def test_what_is_over_is_removed(standing_services: Services, ann: Browser) -> None:
    made = await invite(ann, "viewer")
    pool = standing_services.pool
    await pool.execute(
        "update tracker.links set expires_at = now() - interval '1 day' where link_id = $1", made["invitation_id"]
    )
    await pool.execute(
        "update tracker.logins set expires_at = now() - interval '1 day' where user_id = $1", ann.user_id
    )
    assert not await ann.is_logged_in()
    assert await delete_expired_logins(standing_services.database.maintained) >= 2
    assert await delete_expired_logins(standing_services.database.maintained) == 0
    assert not await pool.fetchval("select count(*) from tracker.logins where user_id = $1", ann.user_id)
    assert await pool.fetchval("select count(*) from tracker.users where user_id = $1", ann.user_id) == 1
