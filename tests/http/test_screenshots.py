"""`/api/v1/track/screenshot`, `/api/v1/sessions/{id}/screenshots` and `/api/v1/screenshots/{id}`."""

import base64
import io
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from PIL import Image

from tests.http.api import API, PAGE, Json, check_problem, event, get, new_session, now, rows_of, track
from tracker_backend.http.services import Services

MEDIA = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@pytest.fixture
def client(own_client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A caller who sees a project of the test's own."""
    return own_client


@pytest.fixture
def services(standing_services: Services) -> Services:
    """What the server holds that tests share."""
    return standing_services


def picture(kind: str = "JPEG", size: tuple[int, int] = (800, 3000), colour: str = "navy", mode: str = "RGB") -> bytes:
    """An image file."""
    out = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(out, kind)
    return out.getvalue()


def shot(data: bytes, kind: str = "jpeg", **fields: object) -> Json:
    """The upload of an image."""
    return {
        "session_id": new_session(),
        "page_url": PAGE,
        "timestamp": now().isoformat(),
        "image_data": f"data:image/{kind};base64,{base64.b64encode(data).decode()}",
        "width": 800,
        "height": 3000,
        **fields,
    }


async def upload(client: httpx.AsyncClient, body: Json) -> int:
    """Uploads an image, which must be stored, and returns its id."""
    answer = await client.post(f"{API}/track/screenshot", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json().keys() == {"message", "screenshot_id"}
    return answer.json()["screenshot_id"]


@pytest.mark.parametrize("kind", MEDIA)
async def test_an_image_is_served_byte_for_byte(client: httpx.AsyncClient, kind: str) -> None:
    data, moment = picture(kind), now()
    body = shot(data, kind.lower(), timestamp=moment.isoformat())
    identifier = await upload(client, body)
    assert 0 < identifier < 2**53

    answer = await client.get(f"{API}/screenshots/{identifier}")

    assert answer.status_code == 200
    assert answer.content == data
    assert answer.headers["content-type"] == MEDIA[kind]
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    [line] = (await get(client, f"/sessions/{body['session_id']}/screenshots"))["data"]
    assert datetime.fromisoformat(line.pop("timestamp")) == moment
    assert line == {
        "screenshot_id": identifier,
        "page_url": PAGE,
        "image_format": kind.lower(),
        "image_width": 800,
        "image_height": 3000,
        "file_size": len(data),
        "image_data": body["image_data"],
    }
    stored = await get(client, f"/sessions/{body['session_id']}")
    assert (stored["screenshot_count"], stored["event_count"], stored["page_url"]) == (1, 0, PAGE)


async def test_jpg_is_another_name_of_jpeg(client: httpx.AsyncClient) -> None:
    body = shot(picture(), "JPG")
    await upload(client, body)
    [line] = (await get(client, f"/sessions/{body['session_id']}/screenshots"))["data"]
    assert line["image_format"] == "jpeg"


async def test_a_list_can_leave_the_bytes_out_and_name_the_address(client: httpx.AsyncClient) -> None:
    data = picture()
    body = shot(data)
    identifier = await upload(client, body)
    [line] = (await get(client, f"/sessions/{body['session_id']}/screenshots", data="false"))["data"]
    assert "image_data" not in line
    assert line["url"] == f"/api/v1/screenshots/{identifier}"
    assert (await client.get(line["url"])).content == data


async def test_a_browser_that_has_the_image_is_not_sent_it_again(client: httpx.AsyncClient) -> None:
    identifier = await upload(client, shot(picture()))
    for path in (f"{API}/screenshots/{identifier}", f"{API}/screenshots/{identifier}?width=320"):
        first = await client.get(path)
        again = await client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == first.headers["etag"]
        other = await client.get(path, headers={"if-none-match": '"other"'})
        assert other.status_code == 200
        assert other.content == first.content


@pytest.mark.parametrize(
    ("size", "thumbnail"),
    [
        ((800, 3000), (320, 1200)),
        ((1280, 9000), (320, 1280)),
        ((200, 100), (200, 100)),
        ((1, 1), (1, 1)),
        ((5000, 2), None),
    ],
)
async def test_a_thumbnail_is_a_small_jpeg_of_the_top(
    standing_client: httpx.AsyncClient, size: tuple[int, int], thumbnail: tuple[int, int] | None
) -> None:
    image = Image.new("RGB", size, "red")
    image.paste("blue", (0, size[1] * 3 // 4, size[0], size[1]))
    out = io.BytesIO()
    image.save(out, "PNG")
    identifier = await upload(standing_client, shot(out.getvalue(), "png"))
    whole = await standing_client.get(f"{API}/screenshots/{identifier}")
    small = await standing_client.get(f"{API}/screenshots/{identifier}", params={"width": 320})
    assert small.headers["content-type"] == "image/jpeg"
    assert small.headers["etag"] != whole.headers["etag"]
    shown = Image.open(io.BytesIO(small.content))
    assert shown.size == (thumbnail or (320, 1))
    if size[1] > 100:
        red, _, blue = shown.convert("RGB").getpixel((shown.width // 2, shown.height // 8))  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
        assert red > 200
        assert blue < 60
    assert (
        await standing_client.get(f"{API}/screenshots/{identifier}", params={"width": 321})
    ).content == whole.content


@pytest.mark.parametrize("mode", ["L", "1", "P", "RGBA", "LA", "CMYK", "I;16"])
async def test_images_of_every_colour_mode_are_taken(standing_client: httpx.AsyncClient, mode: str) -> None:
    out = io.BytesIO()
    image = Image.new("I;16", (64, 64), 999) if mode == "I;16" else Image.new("RGB", (64, 64), "red").convert(mode)
    kind = "JPEG" if mode == "CMYK" else "PNG"
    image.save(out, kind)
    identifier = await upload(standing_client, shot(out.getvalue(), kind.lower()))
    assert (await standing_client.get(f"{API}/screenshots/{identifier}")).content == out.getvalue()


async def test_a_repeated_image_has_its_own_row_that_points_to_the_bytes(
    client: httpx.AsyncClient, services: Services
) -> None:
    data, moment, session = picture(), now() - timedelta(minutes=1), new_session()
    bodies = [
        shot(
            data, session_id=session, timestamp=(moment + timedelta(milliseconds=n)).isoformat(), page_url=f"{PAGE}/{n}"
        )
        for n in range(3)
    ]
    identifiers = [await upload(client, body) for body in bodies]
    assert len(set(identifiers)) == 3
    rows = await services.pool.fetch(
        "select screenshot_id, image_of, image_data is not null from tracker.screenshots"
        " where session_id = $1 order by timestamp",
        session,
    )
    assert [tuple(row) for row in rows] == [
        (identifiers[0], None, True),
        (identifiers[1], identifiers[0], False),
        (identifiers[2], identifiers[0], False),
    ]
    for identifier in identifiers:
        answer = await client.get(f"{API}/screenshots/{identifier}")
        assert answer.content == data
        assert (await client.get(f"{API}/screenshots/{identifier}?width=320")).content != data
    found = (await get(client, f"/sessions/{session}/screenshots"))["data"]
    assert [line["screenshot_id"] for line in found] == identifiers
    assert [line["page_url"] for line in found] == [body["page_url"] for body in bodies]
    assert {line["image_data"] for line in found} == {bodies[0]["image_data"]}
    assert (await get(client, f"/sessions/{session}"))["screenshot_count"] == 3


async def test_an_image_of_another_day_or_session_keeps_its_own_bytes(
    client: httpx.AsyncClient, services: Services, project: int
) -> None:
    data, session = picture(), new_session()
    await upload(client, shot(data, session_id=session))
    await upload(client, shot(data, session_id=session, timestamp=(now() - timedelta(days=2)).isoformat()))
    await upload(client, shot(data))
    held = "select count(*) from tracker.screenshots where project_id = $1 and image_data is not null"
    assert await services.pool.fetchval(held, project) == 3


async def test_a_retried_screenshot_gets_the_same_id(client: httpx.AsyncClient, services: Services) -> None:
    body = shot(picture())
    identifier = await upload(client, body)
    assert await upload(client, body) == identifier
    assert (await rows_of(services.pool, body["session_id"]))["screenshots"] == 1
    assert (await get(client, f"/sessions/{body['session_id']}"))["screenshot_count"] == 1


async def test_screenshots_are_listed_by_time_and_across_days(client: httpx.AsyncClient) -> None:
    session, moment = new_session(), now()
    ages = [timedelta(days=5), timedelta(days=1), timedelta(minutes=10), timedelta()]
    identifiers = {
        age: await upload(
            client,
            shot(picture(colour=colour), session_id=session, timestamp=(moment - age).isoformat()),
        )
        for age, colour in zip(reversed(ages), ("red", "green", "blue", "gray"), strict=True)
    }

    async def listed(**parameters: object) -> list[int]:
        page = await get(client, f"/sessions/{session}/screenshots", data="false", **parameters)
        return [line["screenshot_id"] for line in page["data"]]

    expected = [identifiers[age] for age in ages]
    assert await listed() == expected
    assert await listed(from_=(moment - ages[1]).isoformat()) == expected[1:]
    assert await listed(to=(moment - ages[1]).isoformat()) == expected[:1]
    assert await listed(from_=(moment - ages[1]).isoformat(), to=(moment - ages[2]).isoformat()) == expected[1:2]
    assert await listed(from_=(moment + timedelta(minutes=1)).isoformat()) == []


async def test_many_screenshots_of_one_millisecond_each_have_an_id_and_are_all_listed(
    client: httpx.AsyncClient,
) -> None:
    session, stamp = new_session(), now().isoformat()
    sent: dict[int, bytes] = {}
    for n in range(210):
        data = picture("PNG", (8, 8), colour=f"#{n:02x}0000")
        sent[await upload(client, shot(data, "png", session_id=session, timestamp=stamp, page_url=f"{PAGE}/{n}"))] = (
            data
        )
    assert len(sent) == 210
    page = await get(client, f"/sessions/{session}/screenshots")
    assert len(page["data"]) == 210
    for line in page["data"]:
        assert base64.b64decode(line["image_data"].partition(",")[2]) == sent[line["screenshot_id"]]


async def test_a_session_without_screenshots_has_an_empty_list(client: httpx.AsyncClient) -> None:
    session = await track(client, event())
    assert await get(client, f"/sessions/{session}/screenshots") == {"data": []}


async def test_an_old_screenshot_is_stored_at_receipt(client: httpx.AsyncClient) -> None:
    before = datetime.now(UTC)
    body = shot(picture(), timestamp="0001-01-01T00:00:00Z")
    identifier = await upload(client, body)
    [line] = (await get(client, f"/sessions/{body['session_id']}/screenshots", data="false"))["data"]
    assert before <= datetime.fromisoformat(line["timestamp"]) <= datetime.now(UTC)
    assert (await client.get(f"{API}/screenshots/{identifier}")).status_code == 200
    assert await upload(client, body) == identifier


async def test_an_image_of_just_10_mb_is_taken(client: httpx.AsyncClient) -> None:
    data = picture() + bytes(10 * 1024 * 1024)
    limit = 10 * 1024 * 1024
    identifier = await upload(client, shot(data[:limit]))
    assert len((await client.get(f"{API}/screenshots/{identifier}")).content) == limit
    over = await client.post(f"{API}/track/screenshot", json=shot(data[: limit + 1]))
    check_problem(over, 413, "too-large", str(limit))
