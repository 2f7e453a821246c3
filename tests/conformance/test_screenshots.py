"""Images are stored once a session and day, and found by their id."""

import hashlib
from datetime import datetime
from uuid import UUID, uuid4

from tests.conformance.visits import CART, DAY, HOUR, batch, days_ago
from tracker_backend.ingest.batch import Image
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance import retention
from tracker_backend.queries.screenshots import get_image, list_screenshots
from tracker_backend.queries.sessions import get_session
from tracker_backend.storage.database import Database

BYTES = bytes(range(256)) * 20


async def shoot(pipeline: Pipeline, session: UUID, moment: datetime, data: bytes = BYTES) -> int:
    """Stores a screenshot and returns its id."""
    image = Image(CART, "png", 800, 600, hashlib.sha256(data).digest(), data, b"small")
    outcome = await pipeline.submit(batch(session=session, received=moment, image=image))
    assert outcome.ref is not None
    return outcome.ref


async def holders(database: Database) -> dict[int, int | None]:
    """Of each screenshot, which one holds its bytes; None for those that do themselves."""
    rows = await database.pool.fetch("select screenshot_id, image_of, image_data from tracker.screenshots")
    assert all((row["image_of"] is None) == (row["image_data"] is not None) for row in rows)
    return {row["screenshot_id"]: row["image_of"] for row in rows}


async def test_a_repeated_image_of_a_session_and_day_points_to_the_one_that_holds_it(
    database: Database, pipeline: Pipeline
) -> None:
    session = uuid4()
    first = await shoot(pipeline, session, days_ago(2))
    second = await shoot(pipeline, session, days_ago(2) + HOUR)
    third = await shoot(pipeline, session, days_ago(2) + 2 * HOUR)
    assert await holders(database) == {first: None, second: first, third: first}
    for each in (first, second, third):
        assert (await get_image(database.pool, 1, each)).image_data == BYTES
    assert [it.screenshot_id async for it in list_screenshots(database.pool, 1, session, None, None)] == [
        first,
        second,
        third,
    ]
    assert (await get_session(database.pool, 1, session)).screenshot_count == 3


async def test_other_bytes_another_session_and_another_day_store_the_bytes_again(
    database: Database, pipeline: Pipeline
) -> None:
    session, moment = uuid4(), days_ago(3)
    ids = [
        await shoot(pipeline, session, moment),
        await shoot(pipeline, session, moment + HOUR, BYTES[1:]),
        await shoot(pipeline, uuid4(), moment + HOUR),
        await shoot(pipeline, session, moment + DAY),
    ]
    assert await holders(database) == dict.fromkeys(ids)


async def test_an_image_outlives_the_day_of_the_one_it_repeats(past: Database, pipeline: Pipeline) -> None:
    session = uuid4()
    old = await shoot(pipeline, session, days_ago(31))
    kept = await shoot(pipeline, session, days_ago(30))
    await retention.drop_raw_rows(past.maintained)
    assert {*(await holders(past))} == {kept}
    assert old != kept
    assert (await get_image(past.pool, 1, kept)).image_data == BYTES


async def test_a_repeated_upload_is_answered_with_the_first_id(database: Database, pipeline: Pipeline) -> None:
    session, moment = uuid4(), days_ago(1)
    first = await shoot(pipeline, session, moment)
    assert await shoot(pipeline, session, moment) == first
    assert await holders(database) == {first: None}


async def test_many_screenshots_of_one_millisecond_have_ids_of_their_own(
    database: Database, pipeline: Pipeline
) -> None:
    moment = days_ago(1)
    ids = [await shoot(pipeline, uuid4(), moment, BYTES[n:]) for n in range(100)]
    assert len(set(ids)) == 100
    assert max(ids) < 2**53
    assert (await get_image(database.pool, 1, ids[70])).image_data == BYTES[70:]
