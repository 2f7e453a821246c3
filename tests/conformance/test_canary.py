"""A secret is sent in every way there is, and then looked for in every byte of the database."""

import asyncio
import base64
import json
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar

from tests.conformance.visits import batch, event, now, placed, visit
from tests.http.api import API, local, track
from tests.http.api import event as sent_event
from tracker_backend.http.services import Services
from tracker_backend.importing.run import import_files
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.zstd import decompress

SECRET = "canary7hunter2"
MAIL = "canary.mary@example.com"
CARD = "4012 8888 8888 1881"
TRACES = [b"canary", b"hunter2", b"4012 8", b"40128888", b"8888 1", b"88881881"]
"""Pieces of the secrets, long enough not to be there by chance. Nothing else may hold them."""
URL = (
    f"https://user:{SECRET}@shop.example/u/canary.mary%40example.com/a?page=2&token={SECRET}&mail={MAIL}"
    f"&next=https%3A%2F%2Fb%3Fapi_key%3D{SECRET}#access_token={SECRET}"
)
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk"
    "+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_TABLES = """
    select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = relnamespace
    where relkind in ('r', 'p') and has_table_privilege(c.oid, 'select')
        and nspname in ('tracker', '_timescaledb_internal')
    order by 1
"""

Send = Callable[[httpx.AsyncClient], Awaitable[None]]


def ms() -> int:
    return round(now().timestamp() * 1000)


def rrweb() -> list[dict[str, Any]]:
    """A recording with the secrets wherever rrweb tells texts."""

    def told(kind: int, **data: Any) -> dict[str, Any]:
        return {"type": kind, "data": data, "timestamp": ms()}

    def element(node: int, tag: str, *children: Any, **attributes: str) -> dict[str, Any]:
        return {"type": 2, "id": node, "tagName": tag, "attributes": attributes, "childNodes": children}

    def text(node: int, content: str) -> dict[str, Any]:
        return {"type": 3, "id": node, "textContent": content}

    fields = [
        element(10, "input", type="password", value=SECRET),
        element(11, "input", type="text", name="card_number", value=CARD[:7]),
        element(12, "textarea", text(13, SECRET), id="secret", value=SECRET),
        element(14, "input", type="text", name="q", value=MAIL),
        element(15, "a", text(16, f"Hello {MAIL}, {CARD}"), href=URL, title=MAIL),
    ]
    typed = [told(3, source=5, id=node, isChecked=False, text=SECRET[:n]) for node in (10, 12) for n in (3, 6, 14)]
    typed += [told(3, source=5, id=11, isChecked=False, text=CARD[:n]) for n in range(1, 20, 3)]
    typed += [told(3, source=5, id=17, isChecked=False, text=MAIL[:n]) for n in (6, 12, 13, 23)]
    return [
        told(4, href=URL, width=800, height=600),
        told(2, node={"type": 0, "id": 1, "childNodes": fields}, initialOffset={"left": 0, "top": 0}),
        *typed,
        told(3, source=0, texts=[{"id": 16, "value": MAIL}], attributes=[], removes=[], adds=[]),
        told(3, source=0, texts=[], attributes=[{"id": 10, "attributes": {"value": SECRET}}], removes=[], adds=[]),
        told(3, source=0, texts=[], attributes=[{"id": 15, "attributes": {"href": URL}}], removes=[], adds=[]),
        told(
            3,
            source=0,
            texts=[],
            attributes=[],
            removes=[],
            adds=[{"parentId": 1, "nextId": None, "node": element(20, "input", type="email", value="canary.mary")}],
        ),
        told(5, tag="login", payload={"password": SECRET, "note": MAIL}),
        told(6, plugin="rrweb/console@1", payload={"level": "error", "payload": [f'"password={SECRET} {URL}"']}),
        told(6, plugin="rrweb/network@1", payload={"requests": [{"name": URL, "status": 500, "method": "GET"}]}),
    ]


def events() -> list[dict[str, Any]]:
    """Events with the secrets typed into each kind of field, letter by letter, and told everywhere else."""
    fields: list[dict[str, Any]] = [
        {"target_element": '<input type="password">', "target_selector": "form > input"},
        {"target_id": "card_number"},
        {"target_element": "<input name=otp>"},
        {"target_selector": "#cvc"},
        {"input_masked": True, "target_selector": "div.x"},
        {"event_data": {"target": {"name": "iban"}}},
    ]
    made: list[dict[str, Any]] = []
    for field in fields:
        for length in range(1, len(SECRET) + 1):
            key = SECRET[length - 1]
            data = {"key": key, "code": f"Key{key.upper()}", "keyCode": ord(key), "which": ord(key), "count": length}
            about = {"timestamp": ms(), "page_url": URL, **field}
            extra = field.get("event_data", {})
            made.append({**about, "event_type": "keydown", "key_pressed": key, "event_data": {**extra, **data}})
            value = SECRET[:length]
            made.append({**about, "event_type": "input", "input_value": value, "event_data": {**extra, "value": value}})
    for secret in (MAIL, CARD):
        made += [
            {
                "timestamp": ms(),
                "event_type": "input",
                "page_url": URL,
                "target_id": f"q{len(secret)}",
                "input_value": v,
            }
            for v in (secret[:5], secret[: len(secret) // 2], secret)
        ]
    made.append(
        {
            "timestamp": ms(),
            "event_type": "error",
            "page_url": URL,
            "target_element": f'<input type="password" value="{SECRET}">',
            "target_class": MAIL,
            "event_data": {
                "message": f"password: {SECRET} of {MAIL}",
                "deep": [{"token": [SECRET]}, {"x": CARD, MAIL: 1}],
            },
            "headers": {"Authorization": f"Bearer {SECRET}"},
        }
    )
    return made


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code in (200, 201, 204), answer.text


async def by_v1(client: httpx.AsyncClient, session: str) -> None:
    metadata = {"password": SECRET, "contact": MAIL, "url": URL}
    start = {"page_url": URL, "referrer": URL, "metadata": metadata, "csrf_token": SECRET}
    await post(client, f"{API}/sessions", session_id=session, **start)
    made = events()
    for at in range(0, len(made), 50):
        await post(client, f"{API}/track", session_id=session, events=made[at : at + 50])
    await post(client, f"{API}/track/recording", session_id=session, events=rrweb())
    await post(client, f"{API}/track/screenshot", session_id=session, page_url=URL, timestamp=ms(), image_data=PIXEL)


async def by_spectra(client: httpx.AsyncClient, session: str) -> None:
    metadata = {"url": URL, "referrer": URL, "password": SECRET}
    await post(client, "/api/sessions/start", sessionId=session, appId="shop", metadata=metadata)
    custom = [{"eventType": line["event_type"], "data": line, "timestamp": ms()} for line in events()]
    errors = [{"type": "error", "message": f"token={SECRET} {MAIL}", "stack": URL, "timestamp": ms()}]
    packed = base64.b64encode(zlib.compress(json.dumps(rrweb()).encode())).decode()
    path = f"/api/sessions/{session}"
    body = {"events": {"compressed": True, "data": packed}, "customEvents": custom, "errors": errors, "secret": SECRET}
    await post(client, f"{path}/events", **body)
    await post(client, f"{path}/end", stats={"email": MAIL, "url": URL})


async def by_incuera(client: httpx.AsyncClient, session: str) -> None:
    await post(client, "/api/sessions/start", sessionId=session, metadata={"url": URL, "token": SECRET})
    await post(client, "/api/ingest", sessionId=session, events=rrweb(), timestamp=ms(), apiKey=SECRET)


async def by_uxcam(client: httpx.AsyncClient, session: str) -> None:
    device = {"url": URL, "email": MAIL}
    await post(client, "/api/snapshots/ingest", session_id=session, snapshots=rrweb(), device_info=device)
    lines = [{"type": line["event_type"], "data": line, "timestamp": ms(), "page_url": URL} for line in events()]
    await post(client, "/api/events/ingest", session_id=session, events=lines, device_info=device)


async def by_reev(client: httpx.AsyncClient, session: str) -> None:
    await post(client, "/events", sessionId=session, projectId="1", events=rrweb(), pageUrl=URL, password=SECRET)


async def traces_in(database: Database, *traces: bytes) -> list[str]:
    """The tables that hold a trace of a secret, in any form that it could be put together from."""
    found: list[str] = []
    for row in await database.pool.fetch(_TABLES):
        texts = await database.pool.fetch(f"select t::text as text from {row['name']} t")
        held = [line["text"].encode() for line in texts]
        found += [
            f"{row['name']}: {trace} in {line.decode()[:2000]}"
            for line in held
            for trace in traces
            if trace in line or trace.hex().encode() in line
        ]
    for row in await database.pool.fetch("select data from tracker.recordings"):
        text = decompress(row["data"])
        found += [f"a frame: {trace} in {text.decode()}" for trace in traces if trace in text]
    keys: dict[str, str] = {}
    for row in await database.pool.fetch("select session_id, key_pressed from tracker.events order by event_id"):
        keys[str(row[0])] = keys.get(str(row[0]), "") + (row[1] or "")
    return found + [f"keys: {trace}" for trace in traces for told in keys.values() if trace in told.encode()]


@pytest.mark.parametrize("send", [by_v1, by_spectra, by_incuera, by_uxcam, by_reev])
async def test_a_secret_is_found_nowhere(send: Any, app: Litestar, services: Services) -> None:
    async with local(app) as client:
        await send(client, str(uuid4()))
    database = services.database
    assert await database.pool.fetchval("select count(*) from tracker.sessions") == 1
    assert await database.pool.fetchval(
        "select (select count(*) from tracker.events) + (select count(*) from tracker.recordings)"
    )
    assert await traces_in(database, *TRACES) == []


async def test_the_search_finds_what_is_there(app: Litestar, services: Services) -> None:
    async with local(app) as client:
        session = await track(client, sent_event(event_type="custom", event_data={"note": "canary"}))
        plain = {"type": 5, "data": {"tag": "x", "payload": "hunter2"}, "timestamp": ms()}
        await post(client, f"{API}/track/recording", session_id=session, events=[plain])
    found = await traces_in(services.database, *TRACES)
    assert any("canary" in line for line in found)
    assert any(line.startswith("a frame: b'hunter2'") for line in found)


async def test_an_imported_secret_is_found_nowhere(settings: Settings, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "session.json"
    file.write_text(json.dumps({"session_id": "imported", "events": rrweb(), "password": SECRET, "page": URL}))
    for _ in range(2):
        await import_files(settings, database, 1, [file])
    assert await database.pool.fetchval("select count(*) from tracker.recordings") == 1
    assert await traces_in(database, *TRACES) == []


async def test_two_writers_mask_what_only_one_of_them_found_out(settings: Settings, database: Database) -> None:
    session = uuid4()
    writers = [Pipeline(settings, database.store), Pipeline(settings, database.maintained)]
    for writer in writers:
        writer.writer.start()
    lines = [
        event(now(), "change", target_id="q", input_value="canary", input_masked=False),
        event(now(), "input", target_id="q", input_value=MAIL, input_masked=False),
    ]
    await asyncio.gather(*(visit(writers[n % 2], [lines[n % 2]], session=session, name=str(n)) for n in range(20)))
    for writer in writers:
        await writer.writer.stop()
    assert await database.pool.fetchval("select count(*) from tracker.events where input_value = '********'") == 20
    assert await traces_in(database, *TRACES) == []


async def test_a_batch_is_masked_within_the_group_that_tells_its_field(
    pipeline: Pipeline, database: Database, settings: Settings
) -> None:
    session = uuid4()
    first = batch(
        [event(now(), "change", target_id="q", input_value="canary", input_masked=False)], session=session, name="1"
    )
    second = batch(
        [event(now(), "input", target_id="q", input_value=MAIL, input_masked=False)], session=session, name="2"
    )
    await pipeline.commit.write([placed(pipeline, each) for each in (first, second)])
    assert await traces_in(database, *TRACES) == []
