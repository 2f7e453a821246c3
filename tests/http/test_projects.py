"""Projects: whose they are, what people set of them, archived and deleted."""

import asyncio
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from tests.http.api import API, Json, batch, check_problem, get, local, new_session, row_counts, track
from tests.http.browsers import member
from tests.projects import make_project
from tracker_backend.accounts import keys, projects
from tracker_backend.accounts.projects import ProjectChange, change_project
from tracker_backend.errors import Invalid
from tracker_backend.http import ttl_cache
from tracker_backend.http.services import Services
from tracker_backend.maintenance.deleted_projects import delete_projects
from tracker_backend.settings import Settings

pytestmark = [pytest.mark.tiers("plain"), pytest.mark.usefixtures("without_memory")]


async def patch(client: httpx.AsyncClient, **change: object) -> httpx.Response:
    return await client.patch(f"{API}/project", json=change)


async def changed(client: httpx.AsyncClient, **settings: object) -> Json:
    """The settings after a change of them that must succeed."""
    answer = await patch(client, settings=settings)
    assert answer.status_code == 200, answer.text
    return answer.json()["settings"]


async def lines(client: httpx.AsyncClient, action: str) -> list[Json]:
    """What the audit log tells of an action, newest first."""
    return [line for line in (await get(client, "/audit"))["data"] if line["action"] == action]


class TestWhose:
    """Which projects a caller sees and may make."""

    async def test_a_person_makes_a_project_and_owns_it(
        self, standing_app: Litestar, standing_services: Services, project: int
    ) -> None:
        async with await member(standing_app, standing_services, project, "owner") as owner:
            answer = await owner.call(
                "POST", "/projects", {"name": "Läden", "platform": "ios", "timezone": "Asia/Tokyo"}
            )
            assert answer.status_code == 201, answer.text
            made = answer.json()
            assert (made["name"], made["platform"], made["timezone"]) == ("Läden", "ios", "Asia/Tokyo")
            listed = (await owner.call("GET", "/projects")).json()["data"]
            assert [(it["project_id"], it["role"]) for it in listed] == [
                (project, "owner"),
                (made["project_id"], "owner"),
            ]
            parameters = {"project_id": made["project_id"]}
            assert (await owner.call("GET", "/project", params=parameters)).json() == made
            told = (await owner.call("GET", "/audit", params=parameters)).json()["data"]
            assert [(it["actor"], it["action"]) for it in told] == [(f"user {owner.user_id}", "project made")]
            uxcam = (await owner.client.get("/api/projects")).json()["projects"]
            assert [(it["id"], it["platform"]) for it in uxcam] == [
                (str(project), "web"),
                (str(made["project_id"]), "ios"),
            ]
            assert uxcam[1]["sdk_key"] == made["public_key"]
        async with local(standing_app, host="tracker.example", peer="203.0.113.9") as page:
            sent = await page.post(f"{API}/track", json=batch(), params={"key": made["public_key"]})
            assert sent.status_code == 201

    async def test_a_project_that_was_just_made_is_there_at_once(
        self, standing_app: Litestar, standing_services: Services, project: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ttl_cache, "SECONDS", 3600.0)
        async with await member(standing_app, standing_services, project, "owner") as owner:
            assert (await owner.call("GET", "/projects")).status_code == 200  # who they are is remembered
            made = (await owner.call("POST", "/projects", {"name": f"new {new_session()}"})).json()["project_id"]
            assert (await owner.call("GET", "/project", params={"project_id": made})).status_code == 200
            listed = (await owner.call("GET", "/projects")).json()["data"]
            assert [it["project_id"] for it in listed] == [project, made]

    async def test_who_owns_no_project_makes_none(
        self, standing_app: Litestar, standing_services: Services, project: int
    ) -> None:
        async with (
            await member(standing_app, standing_services, project, "owner"),
            await member(standing_app, standing_services, project, "editor") as editor,
        ):
            check_problem(await editor.call("POST", "/projects", {"name": "x"}), 403, "forbidden", "ask an owner")

    async def test_the_first_person_of_a_server_may_make_one(self, app: Litestar, services: Services) -> None:
        default = await keys.default_project(services.pool)
        async with await member(app, services, default, "viewer") as person:
            await services.pool.execute("delete from tracker.members")
            assert (await person.call("GET", "/projects")).json() == {"data": []}
            assert (await person.client.get("/api/projects")).json() == {"projects": []}
            assert (await person.call("POST", "/projects", {"name": "mine"})).status_code == 201
            assert [it["name"] for it in (await person.call("GET", "/projects")).json()["data"]] == ["mine"]

    async def test_a_key_makes_none_and_sees_its_own(
        self, standing_app: Litestar, own_client: httpx.AsyncClient, project: int
    ) -> None:
        check_problem(await own_client.post(f"{API}/projects", json={"name": "x"}), 401, "unauthorized", "log in")
        assert [it["project_id"] for it in (await get(own_client, "/projects"))["data"]] == [project]
        assert (await get(own_client, "/project"))["project_id"] == project
        async with local(standing_app) as nobody:
            listed = (await get(nobody, "/projects"))["data"]
            assert [(it["name"], "role" in it) for it in listed] == [("default", False)]

    async def test_a_write_key_sees_none(
        self, standing_client: httpx.AsyncClient, standing_services: Services, project: int
    ) -> None:
        standing_client.headers["x-api-key"] = await keys.public_key(standing_services.pool, project)
        for path in ("/projects", "/project"):
            check_problem(await standing_client.get(f"{API}{path}"), 403, "forbidden", "this is a write key")

    async def test_roles_may_do_what_they_may(
        self, standing_app: Litestar, standing_services: Services, project: int
    ) -> None:
        change = {"settings": {"sampling_rate": 0.5}}
        async with (
            await member(standing_app, standing_services, project, "viewer") as viewer,
            await member(standing_app, standing_services, project, "editor") as editor,
        ):
            assert (await viewer.call("GET", "/project")).status_code == 200
            check_problem(await viewer.call("PATCH", "/project", change), 403, "forbidden", "you are viewer")
            assert (await editor.call("PATCH", "/project", change)).status_code == 200
            for method, path in (("POST", "/project/archive"), ("POST", "/project/restore"), ("DELETE", "/project")):
                answer = await editor.call(method, path, params={"confirm": "test"})
                check_problem(answer, 403, "forbidden", "you are editor")
            check_problem(await editor.call("GET", "/audit"), 403, "forbidden")

    @pytest.mark.parametrize("rule", ["inputs", "fields", "parameters", "allow"])
    async def test_only_owners_have_more_stored(
        self, standing_app: Litestar, standing_services: Services, project: int, rule: str
    ) -> None:
        stored: dict[str, Any] = {"inputs": "all", "fields": ["nick"], "parameters": ["ref"], "allow": ["q"]}
        relaxed = {"inputs": "secrets", "fields": [], "parameters": ["other"], "allow": ["q", "email"]}
        strict = {"inputs": "all", "fields": ["nick", "iban"], "parameters": ["ref", "b"], "allow": []}
        async with (
            await member(standing_app, standing_services, project, "owner") as owner,
            await member(standing_app, standing_services, project, "editor") as editor,
        ):
            await owner.call("PATCH", "/project", {"settings": {"masking": stored}})
            change = {"settings": {"masking": {rule: relaxed[rule]}}}
            refused = await editor.call("PATCH", "/project", change)
            check_problem(refused, 403, "forbidden", f"`settings.masking.{rule}` would: ask an owner")
            same = await editor.call("PATCH", "/project", {"settings": {"masking": stored, "sampling_rate": 0.5}})
            assert same.status_code == 200
            stricter = await editor.call("PATCH", "/project", {"settings": {"masking": strict}})
            assert stricter.json()["settings"]["masking"] == strict
            await owner.call("PATCH", "/project", {"settings": {"masking": stored}})
            assert (await owner.call("PATCH", "/project", change)).status_code == 200


class TestNames:
    """No two projects of a server have one name: people, and `confirm`, tell them by it."""

    async def test_a_taken_name_is_refused(
        self, standing_app: Litestar, standing_services: Services, own_client: httpx.AsyncClient
    ) -> None:
        other = f"other {new_session()}"
        await make_project(standing_services.pool, other)
        for name in (other, other.upper(), f" {other} "):
            check_problem(await patch(own_client, name=name), 422, "invalid", repr(name), "another project")
        assert (await patch(own_client, platform="ios", name="test")).status_code == 200, "its own stays"
        own = f"own {new_session()}"
        assert (await patch(own_client, name=own)).status_code == 200
        assert (await patch(own_client, name=own.upper())).status_code == 200, "of itself it may be another case"

    async def test_the_name_of_a_deleted_project_is_free(
        self, own_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        gone = f"gone {new_session()}"
        number = await make_project(standing_services.pool, gone)
        await standing_services.pool.execute(
            "update tracker.projects set deleted_at = now() where project_id = $1", number
        )
        assert (await patch(own_client, name=gone)).status_code == 200

    async def test_of_projects_made_at_once_with_one_name_one_is_made(self, services: Services) -> None:
        async def make() -> bool:
            try:
                async with services.pool.acquire() as connection, connection.transaction():
                    await projects.create_project(connection, "command line", projects.ProjectRequest("shop"))
            except Invalid:
                return False
            return True

        assert sorted(await asyncio.gather(*(make() for _ in range(5)))) == [False] * 4 + [True]


class TestSettings:
    """What people set of a project."""

    async def test_only_what_is_told_changes(self, own_client: httpx.AsyncClient) -> None:
        first = await changed(own_client, retention_days=14, masking={"inputs": "secrets", "fields": ["iban"]})
        assert first["retention_days"] == 14
        second = await changed(own_client, masking={"fields": ["iban", "plz"]}, sampling_rate=0.25)
        assert second == {
            **first,
            "sampling_rate": 0.25,
            "masking": {"inputs": "secrets", "fields": ["iban", "plz"], "parameters": [], "allow": []},
        }
        third = await changed(own_client, masking=None, retention_days=None)
        assert (third["masking"]["inputs"], third["retention_days"]) == ("all", None)
        assert third["sampling_rate"] == 0.25
        named = await patch(own_client, name="Laden", timezone="Europe/Berlin")
        assert (named.json()["name"], named.json()["platform"]) == ("Laden", "web")
        assert (await patch(own_client, name="Laden")).status_code == 200
        changes = [line["details"]["changes"] for line in await lines(own_client, "project changed")]
        assert changes[0] == {
            "name": {"from": "test", "to": "Laden"},
            "timezone": {"from": "UTC", "to": "Europe/Berlin"},
        }
        assert [set(each) for each in changes[1:]] == [
            {"settings.retention_days", "settings.masking"},
            {"settings.sampling_rate", "settings.masking"},
            {"settings.retention_days", "settings.masking"},
        ]
        assert changes[3]["settings.retention_days"] == {"from": None, "to": 14}
        assert changes[2]["settings.masking"] == {"from": first["masking"], "to": second["masking"]}

    async def test_changes_at_once_are_all_kept(self, own_client: httpx.AsyncClient) -> None:
        wanted = {"sampling_rate": 0.5, "retention_days": 20, "record": True, "limit_key": 7, "limit_project": 9}
        await asyncio.gather(*(changed(own_client, **{name: value}) for name, value in wanted.items()))
        settings = (await get(own_client, "/project"))["settings"]
        assert {name: settings[name] for name in wanted} == wanted

    @pytest.mark.parametrize(
        ("change", "tells"),
        [
            ({"settings": {"retention_days": 31}}, ["31", "30", "TRACKER_RETENTION_DAYS"]),
            ({"settings": {"retention_days": 7}}, ["7 days late", "8 or more"]),
            ({"settings": {"retention_days": 0}}, ["retention_days"]),
            ({"settings": {"sampling_rate": 1.1}}, ["sampling_rate"]),
            ({"settings": {"sampling_rate": "half"}}, ["sampling_rate"]),
            ({"settings": {"limit_key": -1}}, ["limit_key"]),
            ({"settings": {"limit_project": 10**400}}, ["limit_project"]),
            ({"settings": {"retention": 9}}, ["retention"]),
            ({"settings": {"masking": {"inputs": "some"}}}, ["inputs"]),
            ({"settings": []}, ["settings"]),
            ({"colour": "red"}, ["colour"]),
            ({"name": ""}, ["name"]),
            ({"name": "  "}, ["name"]),
            ({"name": "x" * 101}, ["name"]),
            ({"platform": "amiga"}, ["amiga"]),
            ({"timezone": "Mars/Olympus"}, ["Mars/Olympus", "IANA"]),
            ({"timezone": "+02:00"}, ["+02:00", "IANA"]),
        ],
    )
    async def test_what_cannot_be_is_refused_with_a_text(
        self, own_client: httpx.AsyncClient, change: Json, tells: list[str]
    ) -> None:
        before = await get(own_client, "/project")
        check_problem(await patch(own_client, **change), 422, "invalid", *tells)
        assert await get(own_client, "/project") == before

    async def test_only_the_operator_sets_limits_above_the_servers(
        self, standing_services: Services, project: int, settings: Settings
    ) -> None:
        services = standing_services
        limited = msgspec.structs.replace(settings, limit_key=600)
        for value, is_refused in ((600, False), (1, False), (601, True), (0, True)):
            change = msgspec.convert({"settings": {"limit_key": value}}, ProjectChange)
            async with services.pool.acquire() as connection, connection.transaction():
                if is_refused:
                    with pytest.raises(Invalid, match=r"600 requests per minute.*TRACKER_LIMIT_KEY"):
                        await change_project(connection, "user 1", project, change, limited)
                    await change_project(connection, "user 1", project, change, limited, is_operator=True)
                else:
                    await change_project(connection, "user 1", project, change, limited)
        other = msgspec.convert({"name": "renamed"}, ProjectChange)  # what the operator set does not stand in the way
        async with services.pool.acquire() as connection, connection.transaction():
            assert await change_project(connection, "user 1", project, other, limited) == ["name"]

    async def test_retention_may_be_all_between_the_late_window_and_the_servers(
        self, own_client: httpx.AsyncClient
    ) -> None:
        for days in (8, 30):
            assert (await changed(own_client, retention_days=days))["retention_days"] == days

    @pytest.mark.parametrize(
        ("given", "stored"),
        [
            ("HTTPS://Shop.Example", "https://shop.example"),
            ("https://shop.example:443", "https://shop.example"),
            ("http://shop.example:80", "http://shop.example"),
            ("https://shop.example:80", "https://shop.example:80"),
            ("https://*.shop.example:8443", "https://*.shop.example:8443"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("null", "null"),
        ],
    )
    async def test_an_origin_is_stored_as_browsers_write_it(
        self, own_client: httpx.AsyncClient, given: str, stored: str
    ) -> None:
        assert (await changed(own_client, allowed_origins=[given]))["allowed_origins"] == [stored]

    @pytest.mark.parametrize(
        "origin",
        [
            *("shop.example", "https://shop.example/", "https://shop.example/a", "https://", "*", "https://*"),
            *("https://a.*.example", "https://*shop.example", "https://shop.example:port", "https://user@shop.example"),
            *("https://ümlaut.example", "https://a b.example", "//shop.example", "https://shop..example"),
        ],
    )
    async def test_what_no_browser_sends_as_an_origin_is_refused(
        self, own_client: httpx.AsyncClient, origin: str
    ) -> None:
        answer = await patch(own_client, settings={"allowed_origins": ["https://a.example", origin]})
        check_problem(answer, 422, "invalid", repr(origin), "https://*.shop.example")


class TestArchive:
    """A project that takes no data any more."""

    async def test_it_is_read_and_not_written_until_it_is_restored(
        self, own_client: httpx.AsyncClient, standing_services: Services
    ) -> None:
        session = await track(own_client)
        for _ in range(2):
            assert (await own_client.post(f"{API}/project/archive")).json()["archived_at"] is not None
        sent: Json = {"sessionId": new_session(), "events": []}
        check_problem(await own_client.post(f"{API}/track", json=batch()), 403, "forbidden", "archived", "restore")
        answer = await own_client.post("/api/ingest", json=sent)
        assert (answer.status_code, answer.json()["success"]) == (403, False)
        assert (await get(own_client, f"/sessions/{session}"))["session_id"] == session
        assert (await own_client.post(f"{API}/project/restore")).json()["archived_at"] is None
        await track(own_client)
        assert len(await lines(own_client, "project archived")) == 1
        assert len(await lines(own_client, "project restored")) == 1


class TestDelete:
    """A project that is deleted; its rows are `tests/conformance/test_project.py`'s."""

    async def test_nobody_uses_it_from_then_on(
        self, standing_app: Litestar, standing_services: Services, own_client: httpx.AsyncClient, project: int
    ) -> None:
        await track(own_client)
        public = (await get(own_client, "/project"))["public_key"]
        async with await member(standing_app, standing_services, project, "owner") as owner:
            check_problem(
                await own_client.delete(f"{API}/project", params={"confirm": "tset"}),
                422,
                "invalid",
                "'tset'",
                "'test'",
            )
            check_problem(await own_client.delete(f"{API}/project"), 422, "invalid", "confirm")
            answer = await owner.call("DELETE", "/project", params={"confirm": "test", "project_id": project})
            assert (answer.status_code, answer.json()["project_id"]) == (202, project)
            assert (await owner.call("GET", "/projects")).json() == {"data": []}
            check_problem(
                await owner.call("GET", "/project", params={"project_id": project}), 403, "forbidden", "no member"
            )
            await standing_services.pool.execute(  # a call that was under way: it waited for the deletion to commit
                "insert into tracker.members (project_id, user_id, role) values ($1, $2, 'owner')",
                project,
                owner.user_id,
            )
            check_problem(await owner.call("GET", "/project"), 403, "forbidden", "member of no project")
        check_problem(await own_client.get(f"{API}/sessions"), 401, "unauthorized", "not known")
        check_problem(
            await own_client.post(f"{API}/track", json=batch(), headers={"x-api-key": public}), 401, "unauthorized"
        )
        # Made by such a call too.
        late = await keys.create_key(standing_services.pool, project, "read")
        answer = await own_client.get(f"{API}/sessions", headers={"x-api-key": late})
        check_problem(answer, 401, "unauthorized", "not known")
        told = await standing_services.pool.fetch(
            "select actor, action, details::text from tracker.audit where project_id = $1 order by audit_id desc",
            project,
        )
        assert (told[0]["actor"], told[0]["action"]) == (f"user {owner.user_id}", "project deleted")
        assert await delete_projects(standing_services.database.maintained) >= 1
        assert not await standing_services.pool.fetchval(
            "select count(*) from tracker.sessions where project_id = $1", project
        )

    async def test_the_last_one_stays(self, client: httpx.AsyncClient, services: Services) -> None:
        default = await keys.default_project(services.pool)
        client.headers["x-api-key"] = await keys.create_key(services.pool, default, "admin")
        await track(client)
        before = await row_counts(services.pool)
        answer = await client.delete(f"{API}/project", params={"confirm": "default"})
        check_problem(answer, 422, "invalid", "the only project")
        assert await row_counts(services.pool) == before

    async def test_of_two_deleted_at_once_one_stays(self, client: httpx.AsyncClient, services: Services) -> None:
        pool = services.pool
        default, other = await keys.default_project(pool), await make_project(pool, "default")
        sent = [await keys.create_key(pool, project_id, "admin") for project_id in (default, other)]
        answers = await asyncio.gather(
            *(
                client.delete(f"{API}/project", params={"confirm": "default"}, headers={"x-api-key": key})
                for key in sent
            )
        )
        assert sorted(answer.status_code for answer in answers) == [202, 422]

    async def test_local_calls_then_act_on_the_next_one(self, client: httpx.AsyncClient, services: Services) -> None:
        default, other = await keys.default_project(services.pool), await make_project(services.pool, "next")
        admin = {"x-api-key": await keys.create_key(services.pool, default, "admin")}
        await track(client)
        assert (await client.delete(f"{API}/project", params={"confirm": "default"}, headers=admin)).status_code == 202
        await track(client)
        assert [it["project_id"] for it in (await get(client, "/projects"))["data"]] == [other]
        assert (await get(client, "/sessions"))["total"] == 1
        page = (await client.get("/demo/")).text
        assert f'data-project="{await keys.public_key(services.pool, other)}"' in page
