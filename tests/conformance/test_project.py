"""A deleted project leaves nothing behind, on both tiers, from the columnstore and the hourly numbers either."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import pytest

from tests.conformance.columnstore import compress
from tests.conformance.hourly import event_hours, session_hours, wrong_event_hours, wrong_session_hours
from tests.conformance.visits import CART, clicks, days_ago, microseconds, now, visit
from tests.projects import make_project
from tracker_backend.accounts import audit, keys
from tracker_backend.accounts.project_deletion import delete_project
from tracker_backend.errors import SettingsError
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance import deleted_projects, session_expiry
from tracker_backend.maintenance.deleted_projects import delete_projects
from tracker_backend.maintenance.tasks import refresh_events, refresh_sessions
from tracker_backend.storage.database import Database
from tracker_backend.storage.store import Store

_TABLES = """
    select table_name from information_schema.columns
    where table_schema = 'tracker' and column_name = 'project_id' and table_name !~ '_[0-9]{8}$' order by 1"""
_KEPT = {"audit", "erasures", "tombstones", "projects"}
"""What was done is not forgotten, what may not come back does not; by the project's row late batches are found."""
_ACCESS = {"api_keys", "members", "links", "tickets", "analyst_grants"}


async def rows_of(database: Database, project_id: int) -> dict[str, int]:
    """How many rows of a project each table and view has."""
    tables = [row[0] for row in await database.pool.fetch(_TABLES)]
    count = "select count(*) from tracker.{} where project_id = $1"
    return {table: await database.pool.fetchval(count.format(table), project_id) for table in tables}


async def dump(database: Database, project_id: int) -> dict[str, list[str]]:
    """All rows of a project as texts."""
    tables = [row[0] for row in await database.pool.fetch(_TABLES)]
    rows = "select t::text from tracker.{} t where project_id = $1 order by 1"
    return {table: [row[0] for row in await database.pool.fetch(rows.format(table), project_id)] for table in tables}


async def delete(database: Database, project_id: int, name: str) -> None:
    """As the API does it."""
    async with database.pool.acquire() as connection, connection.transaction():
        await delete_project(connection, "user 1", project_id, name)


async def fill(database: Database, pipeline: Pipeline, number: int, session: UUID | None = None) -> UUID:
    """Rows of a project in every table that can have them."""
    session = await visit(pipeline, clicks(days_ago(10), 50), project=number, session=session, name="first")
    await visit(pipeline, clicks(days_ago(3), 5), project=number)
    moment = microseconds(now()) // 1000
    page = {"type": 4, "data": {"href": CART, "width": 1, "height": 1}, "timestamp": moment}
    await visit(pipeline, clicks(now(), 3), project=number, session=session, recording=[page], name="last")
    pool = database.pool
    user = await pool.fetchval(
        "insert into tracker.users (email, password_hash) values ($1, '') returning user_id", f"{number}@a.example"
    )
    key = await keys.create_key(pool, number, "read")
    await keys.public_key(pool, number)
    for table, columns, values in (
        (
            "screenshots",
            "screenshot_id, project_id, session_id, timestamp, page_url, image_format, image_width,"
            " image_height, file_size, sha256",
            "1, $1, $2, now(), '', 'png', 1, 1, 1, ''",
        ),
        (
            "tickets",
            "token_sha256, project_id, session_id, key_sha256, expires_at",
            f"'\\x{keys.digest(f'{number}').hex()}', $1, $2, '\\x{keys.digest(key).hex()}', now()",
        ),
    ):
        await pool.execute(f"insert into tracker.{table} ({columns}) values ({values})", number, session)
    await pool.execute("insert into tracker.members values ($1, $2, 'owner')", number, user)
    await pool.execute(
        "insert into tracker.links (token_sha256, purpose, project_id, expires_at)"
        " values ($2, 'invitation', $1, now())",
        number,
        keys.digest(f"link {number}"),
    )
    await pool.execute("insert into tracker.analyst_grants values (1, $1, 'nobody')", number)
    await audit.write(pool, "user 1", "key made", project_id=number)
    return session


async def refresh(database: Database) -> None:
    await refresh_events(database.maintained)
    await refresh_sessions(database.maintained)


async def test_no_row_of_it_is_left_and_every_row_of_others_stays(
    past: Database, pipeline: Pipeline, tier: str
) -> None:
    gone = await make_project(past.pool, "gone")
    session = await fill(past, pipeline, 1)
    await fill(past, pipeline, gone, session)
    await refresh(past)
    if tier == "timescale":
        assert f"{days_ago(10):%Y-%m-%d}" in await compress(past)
    filled = await rows_of(past, gone)
    assert {table for table, rows in filled.items() if not rows} <= {"hours_to_refresh", "erasures", "tombstones"}
    kept = await dump(past, 1)

    await delete(past, gone, "gone")
    marked = await rows_of(past, gone)
    assert {table for table in _ACCESS if marked[table]} == set()
    assert marked["events"] == filled["events"]
    assert await delete_projects(past.maintained) == 2
    assert await delete_projects(past.maintained) == 0
    left = {table for table, rows in (await rows_of(past, gone)).items() if rows}
    assert left <= _KEPT | {"hours_to_refresh"}
    await refresh(past)
    left = {table for table, rows in (await rows_of(past, gone)).items() if rows}
    assert left == {"audit", "projects"}
    assert await dump(past, 1) == kept
    assert await wrong_event_hours(past.pool) == await wrong_session_hours(past.pool) == []
    row = await past.pool.fetchrow("select name, settings::text from tracker.projects where project_id = $1", gone)
    assert row is not None
    assert tuple(row) == ("", "{}")


async def test_hours_whose_rows_have_expired_go_too(past: Database, pipeline: Pipeline) -> None:
    gone = await make_project(past.pool, "gone")
    for number in (1, gone):
        await visit(pipeline, clicks(days_ago(20), 5), project=number)
    await refresh(past)
    # As retention leaves them: the hours' numbers are final, the rows gone.
    await past.pool.execute("update tracker.rollups set kept_from = now()")
    await past.pool.execute("delete from tracker.events")
    await past.pool.execute("delete from tracker.sessions")
    assert len(await event_hours(past.pool)) == len(await session_hours(past.pool)) == 2
    await delete(past, gone, "gone")
    await delete_projects(past.maintained)
    assert [row["project_id"] for row in await event_hours(past.pool)] == [1]
    assert [row["project_id"] for row in await session_hours(past.pool)] == [1]


async def test_a_batch_that_was_under_way_is_removed_by_the_next_round(database: Database, pipeline: Pipeline) -> None:
    gone = await make_project(database.pool, "gone")
    await visit(pipeline, clicks(now(), 5), project=gone)
    await delete(database, gone, "gone")
    assert await delete_projects(database.maintained) == 1
    await visit(pipeline, clicks(days_ago(2), 5), project=gone)
    assert await delete_projects(database.maintained) == 1
    await refresh(database)
    assert {table for table, rows in (await rows_of(database, gone)).items() if rows} == {"audit", "projects"}


async def test_a_batch_that_comes_to_a_day_already_emptied_goes_with_its_session(
    database: Database, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = await make_project(database.pool, "gone")
    session = await visit(pipeline, clicks(days_ago(2), 5), project=gone)
    await delete(database, gone, "gone")
    emptied: list[int] = []

    async def empty_and_let_one_in(store: Store, project_id: int) -> None:
        await remove_days(store, project_id)
        emptied.append((await rows_of(database, gone))["events"])
        await visit(pipeline, clicks(days_ago(2), 7), session=session, project=gone, name="late")

    remove_days = deleted_projects._delete_days  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(deleted_projects, "_delete_days", empty_and_let_one_in)
    assert await delete_projects(database.maintained) == 1
    assert emptied == [0]
    await refresh(database)
    assert {table for table, rows in (await rows_of(database, gone)).items() if rows} == {"audit", "projects"}


async def test_its_archived_files_go_too(database: Database, pipeline: Pipeline, tmp_path: Path) -> None:
    gone, kept = [await make_project(database.pool, name) for name in ("gone", "kept")]
    store = database.maintained
    store.settings = msgspec.structs.replace(store.settings, archive_dir=tmp_path)
    moment = now() - timedelta(days=4)
    for number in (gone, kept):
        await visit(pipeline, clicks(moment, 5), project=number, fields=SessionFields(ttl_hours=1), received=moment)
    assert await session_expiry.expire_sessions(store) == 2
    await delete(database, gone, "gone")
    await delete_projects(store)
    late = tmp_path / f"{gone}"
    assert not late.exists()
    # A session that expired while the project was being deleted, and what somebody else has put there.
    late.mkdir()
    for name in (f"{uuid4()}.json.gz", f".{uuid4()}.abc.part", "notes.txt"):
        (late / name).write_bytes(b"")
    await delete_projects(store)
    assert [path.name for path in late.iterdir()] == ["notes.txt"]
    assert len(list((tmp_path / f"{kept}").iterdir())) == 1


async def test_a_project_is_remembered_until_its_archived_files_are_gone(database: Database, tmp_path: Path) -> None:
    gone, other = [await make_project(database.pool, name) for name in ("gone", "other")]
    store = database.maintained
    store.settings = msgspec.structs.replace(store.settings, archive_dir=tmp_path)
    for number, name in ((gone, "gone"), (other, "other")):
        await delete(database, number, name)
    await database.pool.execute("update tracker.projects set deleted_at = '2020-01-01' where deleted_at is not null")
    blocked = tmp_path / f"{gone}" / f"{uuid4()}.json.gz"
    blocked.mkdir(parents=True)
    others = tmp_path / f"{other}" / f"{uuid4()}.json.gz"
    others.parent.mkdir()
    others.write_bytes(b"")
    with pytest.raises(SettingsError, match=f"TRACKER_ARCHIVE_DIR holds files of project {gone}"):
        await delete_projects(store)
    assert (await rows_of(database, gone))["projects"] == 1
    assert (await rows_of(database, other))["projects"] == 0, "another one does not wait for it"
    assert not others.exists()
    blocked.rmdir()
    await delete_projects(store)
    assert (await rows_of(database, gone))["projects"] == 0


async def test_its_own_row_goes_when_nothing_can_be_under_way(database: Database) -> None:
    gone = await make_project(database.pool, "gone")
    await delete(database, gone, "gone")
    await delete_projects(database.maintained)
    assert (await rows_of(database, gone))["projects"] == 1
    age = timedelta(days=database.maintained.settings.batch_days, seconds=1)
    await database.pool.execute("update tracker.projects set deleted_at = deleted_at - $1::interval", age)
    await delete_projects(database.maintained)
    assert (await rows_of(database, gone))["projects"] == 0
    assert await database.pool.fetchval("select count(*) from tracker.projects") == 1


@pytest.mark.parametrize("tier", ["timescale"], indirect=True)
async def test_more_than_100000_compressed_rows_are_removed(past: Database, pipeline: Pipeline) -> None:
    gone = await make_project(past.pool, "gone")
    for number in range(21):
        await visit(pipeline, clicks(days_ago(10), 5_000), project=gone, name=f"{number}")
    await visit(pipeline, clicks(days_ago(10), 10))
    await refresh(past)
    assert f"{days_ago(10):%Y-%m-%d}" in await compress(past)
    await delete(past, gone, "gone")
    assert await delete_projects(past.maintained) == 21
    await refresh(past)
    assert [row["count"] for row in await event_hours(past.pool)] == [10]
    assert await wrong_event_hours(past.pool) == []
