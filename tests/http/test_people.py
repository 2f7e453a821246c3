"""Who may do what in a project: members, roles, invitations, links that work once."""

import asyncio
import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from litestar import Litestar

from tests.conftest import running
from tests.http.api import API, check_problem, local, now
from tests.http.browsers import PASSWORD, Browser, invite, member, new_email, roles, token_of
from tests.projects import make_project
from tracker_backend.accounts import keys, one_time_links
from tracker_backend.accounts.logins import Role
from tracker_backend.app import create_app
from tracker_backend.commands import users
from tracker_backend.errors import Invalid, NotFound, SettingsError, Unauthorized
from tracker_backend.http import ttl_cache
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = [pytest.mark.tiers("plain"), pytest.mark.usefixtures("without_memory")]


async def audit_lines(services: Services, project: int) -> list[tuple[str, str]]:
    """Actors and actions of a project, oldest first."""
    rows = await services.pool.fetch(
        "select actor, action from tracker.audit where project_id = $1 order by audit_id", project
    )
    return [(row[0], row[1]) for row in rows]


async def test_a_person_is_invited_joins_and_is_removed(
    standing_services: Services, project: int, ann: Browser, stranger: Browser
) -> None:
    email = new_email()
    made = await invite(ann, "viewer", email.upper())
    assert made["link"].startswith("http://tracker.example/join#")
    assert made["email"] == email
    listed = (await ann.call("GET", "/invitations")).json()
    assert [(it["invitation_id"], it["email"], it["role"], it["created_by"]) for it in listed] == [
        (made["invitation_id"], email, "viewer", ann.user_id)
    ]
    token = token_of(made["link"])
    assert token not in str(listed)
    look = await stranger.call("POST", "/links/look", {"token": token})
    assert look.json() == {
        "purpose": "invitation",
        "project_name": "test",
        "role": "viewer",
        "expires_at": made["expires_at"],
    }
    assert email not in look.text, "who found the link does not learn who may use it"
    await stranger.enter("/links/use", token=token, email=email, password=PASSWORD)
    assert await roles(stranger) == {ann.email: "owner", email: "viewer"}
    assert (await ann.call("GET", "/invitations")).json() == []
    changed = await ann.call("PATCH", f"/members/{stranger.user_id}", {"role": "editor"})
    assert changed.json()["role"] == "editor"
    assert (await ann.call("DELETE", f"/members/{stranger.user_id}")).status_code == 204
    check_problem(await stranger.call("GET", "/members"), 403, "forbidden", "member of no project")
    assert await stranger.is_logged_in(), "the account stays"
    me, them = f"user {ann.user_id}", f"user {stranger.user_id}"
    assert (await audit_lines(standing_services, project))[4:] == [
        (me, "person invited"),
        (them, "account made"),
        (them, "person joined"),
        (them, "login"),
        (me, "role changed"),
        (me, "person removed"),
    ]


async def test_people_of_another_project_are_out_of_reach(
    standing_app: Litestar, standing_services: Services, ann: Browser
) -> None:
    other = await make_project(standing_services.pool, "other")
    async with await member(standing_app, standing_services, other, "owner") as bob:
        made = await invite(bob, "viewer")
        check_problem(await ann.call("PATCH", f"/members/{bob.user_id}", {"role": "viewer"}), 404, "not-found")
        check_problem(await ann.call("DELETE", f"/members/{bob.user_id}"), 404, "not-found")
        check_problem(await ann.call("DELETE", f"/invitations/{made['invitation_id']}"), 404, "not-found")
        for method, path in (("GET", "/members"), ("GET", "/invitations")):
            answer = await ann.call(method, path, params={"project_id": other})
            check_problem(answer, 403, "forbidden", "no member")
        assert await roles(bob) == {bob.email: "owner"}


async def test_an_admin_key_has_an_owners_power(
    standing_app: Litestar, standing_services: Services, project: int
) -> None:
    key = await keys.create_key(standing_services.pool, project, "admin")
    async with Browser(standing_app) as program, Browser(standing_app) as person:
        program.client.headers["x-api-key"] = key
        made = await invite(program, "owner")
        await person.enter("/links/use", token=token_of(made["link"]), email=new_email(), password=PASSWORD)
        assert await roles(program) == {person.email: "owner"}


async def test_who_is_no_owner_any_more_leaves_no_way_back_in_within_the_second(
    standing_app: Litestar, standing_services: Services, project: int, ann: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ttl_cache, "SECONDS", 3600.0)
    pool = standing_services.pool
    async with Browser(standing_app) as program:
        program.client.headers["x-api-key"] = key = await keys.create_key(pool, project, "admin")
        for caller in (ann, program):
            await invite(caller, "viewer")
        await pool.execute("update tracker.members set role = 'editor' where user_id = $1", ann.user_id)
        await keys.revoke_key(pool, "user 1", project, key[: keys.PREFIX_LENGTH])
        for caller, status, kind in ((ann, 403, "forbidden"), (program, 401, "unauthorized")):
            for path, body in (("/invitations", {"role": "owner"}), ("/keys", {"kind": "admin"})):
                check_problem(await caller.call("POST", path, body), status, kind)


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_the_last_owner_stays(ann: Browser, role: Role) -> None:
    check_problem(await ann.call("PATCH", f"/members/{ann.user_id}", {"role": role}), 422, "invalid", "the last owner")
    check_problem(await ann.call("DELETE", f"/members/{ann.user_id}"), 422, "invalid", "the last owner")
    assert await roles(ann) == {ann.email: "owner"}


async def test_two_owners_who_remove_each_other_at_once_leave_one(
    standing_app: Litestar, standing_services: Services, project: int, ann: Browser
) -> None:
    for _ in range(3):
        async with await member(standing_app, standing_services, project, "owner") as bob:
            answers = await asyncio.gather(
                ann.call("PATCH", f"/members/{bob.user_id}", {"role": "viewer"}),
                bob.call("PATCH", f"/members/{ann.user_id}", {"role": "viewer"}),
                bob.call("DELETE", f"/members/{ann.user_id}"),
            )
            owners = await standing_services.pool.fetch(
                "select user_id from tracker.members where project_id = $1 and role = 'owner'", project
            )
            assert len(owners) == 1, [answer.text for answer in answers]
            await standing_services.pool.execute("delete from tracker.members where project_id = $1", project)
            await standing_services.pool.execute(
                "insert into tracker.members values ($1, $2, 'owner')", project, ann.user_id
            )


async def test_who_is_no_owner_any_more_has_no_invitation_left_to_come_back_by(
    standing_app: Litestar, standing_services: Services, project: int, ann: Browser, stranger: Browser
) -> None:
    async with await member(standing_app, standing_services, project, "owner") as bob:
        theirs, hers = await invite(bob, "owner"), await invite(ann, "viewer")
        assert (await ann.call("PATCH", f"/members/{bob.user_id}", {"role": "viewer"})).status_code == 200
    listed = (await ann.call("GET", "/invitations")).json()
    assert [it["invitation_id"] for it in listed] == [hers["invitation_id"]]
    answer = await stranger.call("POST", "/links/look", {"token": token_of(theirs["link"])})
    check_problem(answer, 404, "not-found", "not known")


async def test_a_key_that_was_revoked_has_no_invitation_left_to_come_back_by(
    standing_app: Litestar, standing_services: Services, project: int, ann: Browser, stranger: Browser
) -> None:
    key = await keys.create_key(standing_services.pool, project, "admin")
    async with Browser(standing_app) as program:
        program.client.headers["x-api-key"] = key
        its, hers = await invite(program, "owner"), await invite(ann, "viewer")
        used = await invite(program, "viewer")
        await stranger.enter("/links/use", token=token_of(used["link"]), email=new_email(), password=PASSWORD)
    assert (await ann.call("DELETE", f"/keys/{key[: keys.PREFIX_LENGTH]}")).status_code == 204
    listed = (await ann.call("GET", "/invitations")).json()
    assert [it["invitation_id"] for it in listed] == [hers["invitation_id"]]
    answer = await stranger.call("POST", "/links/look", {"token": token_of(its["link"])})
    check_problem(answer, 404, "not-found", "not known")
    assert (await stranger.call("GET", "/members")).status_code == 200, "who has joined stays"
    async with standing_services.pool.acquire() as connection:
        with pytest.raises(Unauthorized, match="revoked"):  # it was checked before, and comes after
            await one_time_links.create_invitation(connection, "key", project, "owner", None, key=keys.digest(key))


async def test_an_invitation_of_a_key_works_no_longer_than_the_key(
    standing_app: Litestar, standing_services: Services, project: int
) -> None:
    lives: list[timedelta] = []
    for days in (1, 30, None):
        ends = None if days is None else now() + timedelta(days=days)
        async with Browser(standing_app) as program:
            key = await keys.create_key(standing_services.pool, project, "admin", expires_at=ends)
            program.client.headers["x-api-key"] = key
            made = await invite(program, "viewer")
            lives.append(datetime.fromisoformat(made["expires_at"]) - now())
    assert [round(life / timedelta(days=1)) for life in lives] == [1, 7, 7]


async def test_the_first_owner_owns_every_project_and_there_is_no_second(dsn: str) -> None:
    async with running(create_app(Settings(pool_min=1, pool_max=8), dsn)) as app:
        services: Services = app.state["services"]
        await make_project(services.pool, "second")
        first, second = [await one_time_links.create_first_owner_link(services.pool) for _ in range(2)]
        assert first is not None
        assert second is not None
        async with Browser(app) as browser, Browser(app) as late:
            answer = await browser.call("POST", "/links/look", {"token": first.token})
            check_problem(answer, 404, "not-found", "not known")
            look = await browser.call("POST", "/links/look", {"token": second.token})
            assert look.json()["purpose"] == "first owner"
            sent = [{"token": second.token, "email": new_email(), "password": PASSWORD} for _ in range(2)]
            both = (browser, late)
            answers = await asyncio.gather(
                *(it.call("POST", "/links/use", body) for it, body in zip(both, sent, strict=True))
            )
            assert sorted(answer.status_code for answer in answers) == [200, 404]
            winner = both[[answer.status_code for answer in answers].index(200)]
            projects = (await winner.call("GET", "/me")).json()["projects"]
            assert [(it["name"], it["role"]) for it in projects] == [("default", "owner"), ("second", "owner")]
        assert await one_time_links.create_first_owner_link(services.pool) is None
        assert await services.pool.fetchval("select count(*) from tracker.users") == 1
        lines = await services.pool.fetch("select project_id, action from tracker.audit order by audit_id")
        assert [tuple(line) for line in lines] == [
            (None, "account made"),
            *itertools.product((1, 2), ["person joined"]),
            *itertools.product((1, 2), ["login"]),
        ]


class TestCommands:
    """What the operator does."""

    async def test_a_person_is_invited_gets_a_new_password_and_is_removed(
        self, standing_app: Litestar, standing_services: Services, project: int, ann: Browser, stranger: Browser
    ) -> None:
        pool, settings = standing_services.pool, Settings(public_url="https://tracker.example/")
        email = new_email()
        made = await users.invite(settings, pool, project, email.title(), "editor")
        assert made.link.startswith("https://tracker.example/join#")
        await stranger.enter("/links/use", token=token_of(made.link), email=email, password=PASSWORD)
        old = await users.password_link(Settings(host="0.0.0.0", port=8123), pool, email.upper())
        made = await users.password_link(Settings(host="::1", port=8123), pool, email)
        assert old.link.startswith("http://127.0.0.1:8123/join#")
        assert made.link.startswith("http://[::1]:8123/join#")
        async with Browser(standing_app) as browser:
            gone = await browser.call("POST", "/links/look", {"token": token_of(old.link)})
            check_problem(gone, 404, "not-found", "not known")
            sent = {"token": token_of(made.link), "email": ann.email, "password": "some other words"}
            check_problem(await browser.call("POST", "/links/use", sent), 403, "forbidden", "somebody else's")
            check_problem(await stranger.call("POST", "/links/use", {"token": sent["token"]}), 422, "invalid")
            await browser.enter("/links/use", token=sent["token"], email=email, password="some other words")
            assert await browser.is_logged_in()
            assert not await stranger.is_logged_in()
            await stranger.enter("/login", email=email, password="some other words")
        removed = await users.remove(pool, project, email)
        assert (removed.email, removed.role) == (email, "editor")
        assert await roles(ann) == {ann.email: "owner"}
        lines = await audit_lines(standing_services, project)
        for action in ("person invited", "password link made", "person removed"):
            assert ("command line", action) in lines

    async def test_what_cannot_be_done_is_told(self, standing_services: Services, project: int, ann: Browser) -> None:
        pool, settings = standing_services.pool, Settings()
        with pytest.raises(SettingsError, match="there is no account"):
            await users.password_link(settings, pool, new_email())
        with pytest.raises(Invalid, match="give an address"):
            await users.invite(settings, pool, project, "ann", "owner")
        with pytest.raises(Invalid, match="the last owner"):
            await users.remove(pool, project, ann.email)
        nobody, other = ann.email, await make_project(pool, "another")
        with pytest.raises(NotFound, match=f"{nobody} is not a member of project {other}"):
            await users.remove(pool, other, nobody)


async def test_a_deleted_account_is_nobody_and_a_last_owner_stays(
    standing_services: Services, project: int, ann: Browser, stranger: Browser
) -> None:
    pool = standing_services.pool
    link = await invite(ann, "owner")
    await stranger.enter("/links/use", token=token_of(link["link"]), email=new_email(), password=PASSWORD)
    deleted = await users.delete(pool, stranger.email)
    assert (deleted.email, deleted.projects) == (stranger.email, [project])
    assert not await stranger.is_logged_in()
    answer = await stranger.call("POST", "/login", {"email": stranger.email, "password": PASSWORD})
    assert answer.status_code == 401
    assert stranger.email not in str(await pool.fetch("select t::text from tracker.users t"))
    lines = await pool.fetch("select actor, action, target from tracker.audit where project_id = $1", project)
    assert ("command line", "account deleted", f"user {stranger.user_id}") in [tuple(line) for line in lines]
    with pytest.raises(Invalid, match="the last owner"):
        await users.delete(pool, ann.email)
    assert await ann.is_logged_in()


async def test_no_password_and_no_token_stands_in_any_row(
    standing_services: Services, ann: Browser, stranger: Browser
) -> None:
    used, unused = [token_of((await invite(ann, "viewer"))["link"]) for _ in range(2)]
    await stranger.enter("/links/use", token=used, email=new_email(), password="words of a kingfisher")
    await stranger.call("POST", "/login", {"email": stranger.email, "password": "wrong kingfisher"})
    cookie = stranger.client.cookies["tracker_login"]
    pool = standing_services.pool
    tables = [
        row[0]
        for row in await pool.fetch(
            "select relname from pg_class where relnamespace = 'tracker'::regnamespace and relkind in ('r', 'p')"
        )
    ]
    assert {"users", "links", "logins", "audit"} <= set(tables)
    dump: list[Any] = []
    for table in tables:
        dump += [row[0] for row in await pool.fetch(f"select t::text from tracker.{table} t")]
    text = "\n".join(dump)
    assert stranger.email in text
    for secret in (used, unused, cookie, cookie.partition(".")[0], stranger.csrf or "", "kingfisher"):
        assert secret not in text
        assert secret.encode().hex() not in text


async def test_the_pages_that_links_lead_to_load_only_from_here(standing_app: Litestar) -> None:
    async with local(standing_app) as client:
        for page in ("/login", "/join"):
            answer = await client.get(page)
            assert answer.status_code == 200
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert answer.headers["referrer-policy"] == "no-referrer"
            names = [part.partition('"')[0] for part in answer.text.split('="/doors/')[1:]]
            assert len(names) == 2
            for name in [*names, "door.js"]:
                assert (await client.get(f"/doors/{name}")).status_code == 200
            assert "<script>" not in answer.text
        for name in ("..%2flogin.py", "none.js"):
            assert (await client.get(f"/doors/{name}")).status_code == 404
        assert (await client.get(f"{API}/links/look")).status_code == 405
