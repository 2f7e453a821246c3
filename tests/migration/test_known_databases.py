"""A database that had data and is suddenly empty, or another one, is refused instead of filled anew."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.conftest import Server
from tracker_backend.errors import SchemaError
from tracker_backend.settings import Settings
from tracker_backend.storage.database import migrate
from tracker_backend.storage.lifecycle import serving_database


async def serve(data_dir: Path, dsn: str) -> None:
    """A server's start and end."""
    async with serving_database(Settings(data_dir=data_dir, database_url=dsn)) as ready:
        assert ready == dsn


async def empty_again(server: Server, dsn: str) -> None:
    name = urlsplit(dsn).path.strip("/")
    await server.execute(f"drop database {name} with (force)")
    await server.execute(f"create database {name}")


async def test_a_database_that_is_suddenly_empty_is_refused_and_stays_empty(server: Server, tmp_path: Path) -> None:
    dsn = await server.empty_database()
    await serve(tmp_path, dsn)
    await serve(tmp_path, dsn)
    await empty_again(server, dsn)
    for _ in range(2):
        with pytest.raises(SchemaError, match=r"is empty, but this server stored data there before.*databases\.json"):
            await serve(tmp_path, dsn)


async def test_another_database_in_its_place_is_refused(server: Server, tmp_path: Path) -> None:
    dsn = await server.empty_database()
    await serve(tmp_path, dsn)
    await empty_again(server, dsn)
    installation, _ = await migrate(Settings(), dsn)
    with pytest.raises(SchemaError, match=f"is another one \\({installation.installation_id}\\)"):
        await serve(tmp_path, dsn)


async def test_removing_the_note_lets_the_server_begin_anew(server: Server, tmp_path: Path) -> None:
    dsn = await server.empty_database()
    await serve(tmp_path, dsn)
    await empty_again(server, dsn)
    (tmp_path / "databases.json").unlink()
    await serve(tmp_path, dsn)
    assert (tmp_path / "databases.json").exists()


async def test_the_note_holds_no_password(server: Server, tmp_path: Path) -> None:
    dsn = await server.empty_database()
    await serve(tmp_path, dsn)
    password = urlsplit(dsn).password
    assert password
    assert password not in (tmp_path / "databases.json").read_text("utf-8")
