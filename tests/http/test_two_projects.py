"""Two projects with the same session ids, users and batches: neither reads, counts or erases the other's."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import uuid4

import httpx
import msgspec
import pytest
from litestar import Litestar

from tests.http.api import API, Json
from tests.http.matrix import NEEDS
from tests.http.two_projects import (
    ASKED,
    CHANGING,
    READS,
    UNMARKED,
    WATCHED,
    ZONES,
    Same,
    Team,
    answers,
    fill,
    make_team,
    path_of,
    record,
)
from tracker_backend.http.services import Services
from tracker_backend.storage.pool import Pool

Teams = tuple[Team, Team, Same]

_TABLES = """
    select relname from pg_class c join pg_attribute a on attrelid = c.oid and attname = 'project_id'
    where not attisdropped and relnamespace = 'tracker'::regnamespace and relkind in ('r', 'p')
        and not relispartition order by 1"""
_BY_THEMSELVES = {"audit", "hours_to_refresh"}  # reads and tasks of the server add to these
_COLUMNS = {"api_keys": "to_jsonb(t) - 'last_used_at'"}


@pytest.fixture
async def teams(standing_app: Litestar) -> AsyncIterator[Teams]:
    async with AsyncExitStack() as stack:
        ours, theirs = [await make_team(standing_app, f"{name}-{uuid4().hex}") for name in ("ours", "theirs")]
        for team in (ours, theirs):
            await stack.enter_async_context(team.client)
        yield ours, theirs, Same()


async def rows_of(pool: Pool, project: int) -> dict[str, list[str]]:
    """Every row of a project in every table, as text."""
    tables = [row[0] for row in await pool.fetch(_TABLES)]
    assert {"sessions", "events", "recordings", "screenshots", "ingest_batches", "session_totals"} <= set(tables)
    return {
        table: [
            row[0]
            for row in await pool.fetch(
                f"select ({_COLUMNS.get(table, 't')})::text from tracker.{table} t where project_id = $1 order by 1",
                project,
            )
        ]
        for table in tables
        if table not in _BY_THEMSELVES
    }


def content(found: dict[str, httpx.Response]) -> Json:
    """What was answered, of reads whose answers only writes change."""
    return {
        name: (answer.status_code, answer.headers.get("etag"), answer.content)
        for name, answer in found.items()
        if name.rpartition(" by ")[0] not in CHANGING
    }


def test_what_is_kept_by_hand_is_of_routes_that_exist() -> None:
    assert {*ASKED, *WATCHED, *UNMARKED, *CHANGING} <= NEEDS.keys()


@pytest.mark.parametrize("text", ["a visit of any name", ""], ids=["by any text", "by a UUID"])
async def test_neither_reads_or_counts_what_the_other_has(teams: Teams, text: str) -> None:
    ours, theirs, same = teams
    same = msgspec.structs.replace(same, text=text or same.text)
    await fill(ours, same)
    alone = await answers(ours, same)
    for name, answer in alone.items():
        route, _, kind = name.rpartition(" by ")
        expected = {f"GET {API}/me by key": 401, f"GET {API}/config by owner": 403}.get(name, 200)
        assert answer.status_code == expected, (name, answer.text)
        if expected == 200 and route not in UNMARKED:
            assert ours.mark in answer.text, (name, kind, answer.text)
    await fill(theirs, same)
    together, other = await answers(ours, same), await answers(theirs, same)
    for name, answer in content(alone).items():
        assert content(together)[name] == answer, name
    for name in together:
        assert theirs.mark not in together[name].text, name
        assert ours.mark not in other[name].text, name
        assert other[name].status_code == alone[name].status_code, name
    zones = [found[f"GET {API}/analytics/daily by key"].json()["timezone"] for found in (together, other)]
    assert zones == list(ZONES.values())
    pages = {found[f"GET {API}/project by key"].json()["public_key"] for found in (together, other)}
    assert len(pages) == 2
    for route in (f"GET {API}/sessions", "GET /api/stats/today", f"GET {API}/analytics/daily"):
        assert len(other[f"{route} by key"].content) == pytest.approx(len(together[f"{route} by key"].content), abs=60)


async def test_neither_finds_what_it_names_by_the_others_ids(teams: Teams) -> None:
    ours, theirs, same = teams
    for team in (ours, theirs):
        await fill(team, same)
    for route in READS:
        path = path_of(route, ours, same)
        if path != path_of(route, theirs, same):
            foreign = await theirs.client.get(path, headers=theirs.key)
            assert foreign.status_code == 404, (route, foreign.text)
            assert ours.mark not in foreign.text
        # A person of the other project who names ours.
        url = str(httpx.URL(path).copy_merge_params({"project_id": ours.project}))
        refused = await theirs.client.get(url, headers=theirs.owner)
        assert ours.mark not in refused.text, route
        assert refused.status_code == (200 if route == f"GET {API}/me" else 403), (route, refused.text)


async def test_a_batch_of_one_is_no_repeat_of_the_others(teams: Teams, standing_services: Services) -> None:
    ours, theirs, same = teams
    for team in (ours, theirs, ours, theirs):
        await record(team, same)
    counts = "select project_id, count(*) from tracker.events where project_id = any($1::int[]) group by 1"
    found = dict(tuple(row) for row in await standing_services.pool.fetch(counts, [ours.project, theirs.project]))
    assert found[ours.project] == found[theirs.project] > 5


async def test_what_one_erases_stays_with_the_other_to_the_last_byte(teams: Teams, standing_services: Services) -> None:
    ours, theirs, same = teams
    pool = standing_services.pool
    for team in (ours, theirs):
        await fill(team, same)
    before, told = await rows_of(pool, ours.project), content(await answers(ours, same))
    assert len(before["events"]) > 5
    assert len(before["recordings"]) > 1

    deleted = await theirs.client.delete(f"{API}/sessions/{same.session}", headers=theirs.key)
    assert deleted.status_code == 204, deleted.text
    receipt = (await theirs.send(f"{API}/erasures", {"user_id": same.user})).json()
    assert receipt["finished_at"] is not None
    proof = (await theirs.send(f"{API}/erasures/{receipt['erasure_id']}/check", {"user_id": same.user})).json()
    assert not any(proof["left"].values()), proof
    left = await rows_of(pool, theirs.project)
    assert (left["events"], left["sessions"], left["screenshots"], left["recordings"]) == ([], [], [], [])
    await theirs.send(f"{API}/project?confirm={theirs.mark}", {}, "DELETE")

    assert await rows_of(pool, ours.project) == before
    assert content(await answers(ours, same)) == told


async def test_neither_changes_what_is_the_others(teams: Teams, standing_services: Services) -> None:
    """By the other's names: a key's prefix, an invitation, a person, an erasure; and by what has no name."""
    ours, theirs, same = teams
    pool = standing_services.pool
    for team in (ours, theirs):
        await fill(team, same)
    # The other's key of the same name and first letters is another one.
    prefix = (await ours.send(f"{API}/keys", {"kind": "read", "name": "reports"})).json()["key"][:10]
    member = await pool.fetchval("select user_id from tracker.members where project_id = $1", ours.project)
    invitation = await pool.fetchval("select link_id from tracker.links where project_id = $1", ours.project)
    shared = await pool.fetchval(
        "insert into tracker.users (email, password_hash) values ($1, '') returning user_id", f"both-{ours.mark}"
    )
    for team in (ours, theirs):
        await pool.execute("insert into tracker.members values ($1, $2, 'owner')", team.project, shared)
        await pool.execute(
            "insert into tracker.links (token_sha256, purpose, project_id, created_by, expires_at)"
            " values ($1, 'invitation', $2, $3, now() + interval '1 day')",
            uuid4().bytes,
            team.project,
            shared,
        )
    before = await rows_of(pool, ours.project)
    foreign: list[tuple[str, str, Json | None]] = [
        ("DELETE", f"{API}/keys/{prefix}", None),
        ("DELETE", f"{API}/invitations/{invitation}", None),
        ("DELETE", f"{API}/members/{member}", None),
        ("PATCH", f"{API}/members/{member}", {"role": "viewer"}),
        ("POST", f"{API}/erasures/{ours.erasure}/check", {"session_id": same.gone}),
    ]
    for headers in (theirs.key, theirs.owner):
        for method, path, body in foreign:
            answer = await theirs.client.request(method, path, json=body, headers=headers)
            assert answer.status_code == 404, (path, answer.text)
            assert ours.mark not in answer.text
        for method, path, body in foreign:
            named = f"{path}?project_id={ours.project}"
            refused = await theirs.client.request(method, named, json=body, headers=theirs.owner)
            assert refused.status_code == 403, (path, refused.text)
    for method, path, body in (
        ("PATCH", f"{API}/members/{shared}", {"role": "editor"}),
        ("DELETE", f"{API}/members/{shared}", {}),
        ("POST", f"{API}/keys/rotate", {"grace_hours": 0}),
        ("PATCH", f"{API}/project", {"platform": "ios", "settings": {"retention_days": 9}}),
        ("POST", f"{API}/project/archive", {}),
    ):
        await theirs.send(path, body, method)
    assert await rows_of(pool, ours.project) == before
    last = await pool.fetchval("select user_id from tracker.members where project_id = $1", theirs.project)
    kept = await theirs.client.delete(f"{API}/members/{last}", headers=theirs.key)
    assert not kept.is_success, "owners of other projects are none of this one"
