"""What the tracker asks for before it records."""

import httpx
import pytest
from litestar import Litestar

from tests.conftest import running
from tests.http.api import API, Json, check_problem, local
from tracker_backend.accounts import keys
from tracker_backend.app import create_app
from tracker_backend.http.services import Services
from tracker_backend.settings import Settings

pytestmark = pytest.mark.tiers("plain")


@pytest.fixture
async def public(standing_services: Services, project: int) -> str:
    return await keys.public_key(standing_services.pool, project)


async def config(app: Litestar, key: str, **headers: str) -> httpx.Response:
    """As a page of any site asks."""
    async with local(app, host="tracker.example", peer="203.0.113.9") as page:
        return await page.get(f"{API}/config", params={"key": key}, headers=headers)


async def test_it_tells_how_the_project_wants_it(
    standing_app: Litestar, own_client: httpx.AsyncClient, public: str, project: int
) -> None:
    assert (await config(standing_app, public)).json() == {
        "project_id": project,
        "sampling_rate": 1.0,
        "record": False,
        "masking": {"inputs": "all", "fields": [], "parameters": [], "allow": []},
        "honour_gpc": True,
        "honour_dnt": False,
    }
    change: Json = {
        "settings": {
            "sampling_rate": 0.1,
            "record": True,
            "masking": {"inputs": "secrets", "fields": ["iban"]},
            "allowed_origins": ["https://shop.example"],
            "limit_project": 5,
        }
    }
    assert (await own_client.patch(f"{API}/project", json=change)).status_code == 200
    told = (await config(standing_app, public)).json()
    assert (told["sampling_rate"], told["record"], told["masking"]["inputs"]) == (0.1, True, "secrets")
    assert told["masking"]["fields"] == ["iban"]
    assert not {"allowed_origins", "limit_project", "retention_days"} & set(told)


async def test_it_may_be_kept_for_a_minute_and_is_not_sent_again(
    standing_app: Litestar, own_client: httpx.AsyncClient, public: str
) -> None:
    first = await config(standing_app, public)
    assert first.headers["cache-control"] == "public, max-age=60"
    tag = first.headers["etag"]
    again = await config(standing_app, public, **{"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    await own_client.patch(f"{API}/project", json={"settings": {"sampling_rate": 0.5}})
    changed = await config(standing_app, public, **{"if-none-match": tag})
    assert (changed.status_code, changed.headers["etag"] == tag) == (200, False)


async def test_any_page_may_ask_before_it_may_send(
    standing_app: Litestar, own_client: httpx.AsyncClient, public: str
) -> None:
    await own_client.patch(f"{API}/project", json={"settings": {"allowed_origins": ["https://shop.example"]}})
    for headers in ({"origin": "https://evil.example"}, {}):
        answer = await config(standing_app, public, **headers)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == headers.get("origin", "*")
    async with local(standing_app) as page:
        asked = {"origin": "https://shop.example", "access-control-request-method": "GET"}
        answer = await page.options(f"{API}/config", headers=asked | {"access-control-request-headers": "x-api-key"})
        assert answer.status_code == 204
        assert "x-api-key" in answer.headers["access-control-allow-headers"].lower()


async def test_pages_of_an_archived_project_record_nothing(
    standing_app: Litestar, own_client: httpx.AsyncClient, public: str
) -> None:
    await own_client.patch(f"{API}/project", json={"settings": {"record": True}})
    await own_client.post(f"{API}/project/archive")
    told = (await config(standing_app, public)).json()
    assert (told["sampling_rate"], told["record"]) == (0.0, False)


async def test_only_a_key_that_may_send_asks(
    standing_app: Litestar, standing_services: Services, project: int, without_memory: None
) -> None:
    check_problem(await config(standing_app, "tb_w_unknown"), 401, "unauthorized", "not known")
    read = await keys.create_key(standing_services.pool, project, "read")
    check_problem(await config(standing_app, read), 401, "unauthorized", "only a project's public write key")
    check_problem(await config(standing_app, "", **{"x-api-key": read}), 403, "forbidden", "this is a read key")
    refused = await config(standing_app, "tb_w_unknown", origin="https://shop.example")
    assert refused.headers["access-control-allow-origin"] == "https://shop.example"
    secret = await keys.create_key(standing_services.pool, project, "write")
    assert (await config(standing_app, "", **{"x-api-key": secret})).status_code == 200


async def test_it_tells_which_signals_the_server_honours(dsn: str) -> None:
    settings = Settings(pool_min=1, pool_max=8, honour_gpc=False, honour_dnt=True)
    async with running(create_app(settings, dsn)) as app:
        services: Services = app.state["services"]
        told = (await config(app, await keys.public_key(services.pool, 1))).json()
        assert (told["honour_gpc"], told["honour_dnt"]) == (False, True)
