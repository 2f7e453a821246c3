"""An erased visitor leaves the archive's folder too."""

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.conformance.test_erasure import USER, erase, place, removed
from tests.conformance.visits import DAY, clicks, now, visit
from tracker_backend import archive
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.pipeline import Pipeline
from tracker_backend.maintenance import session_expiry
from tracker_backend.privacy import erasure_check
from tracker_backend.storage.database import Database


async def test_archived_sessions_of_a_visitor_are_erased_from_the_folder(
    database: Database, pipeline: Pipeline, tmp_path: Path
) -> None:
    for user in (USER, "other"):
        moment = now() - 4 * DAY
        fields = SessionFields(user_id=user, ttl_hours=1)
        await visit(pipeline, clicks(moment, 5), fields=fields, received=moment)
    living = await visit(pipeline, clicks(now(), 2), fields=SessionFields(user_id=USER))
    store = database.maintained
    store.settings = msgspec.structs.replace(store.settings, archive_dir=tmp_path)
    assert await session_expiry.expire_sessions(store) == 2
    (tmp_path / "1" / f".{living}.abc.part").write_bytes(b"half of a session")
    (tmp_path / "1" / "notes.txt").write_text("not ours")
    assert len(list((tmp_path / "1").iterdir())) == 4

    receipt = await erase(database)
    assert removed(receipt) == {"sessions": 1, "events": 2, "ingest_batches": 1, "archived_files": 2}
    left = {path.name: path for path in (tmp_path / "1").iterdir()}
    assert left.pop("notes.txt").read_text() == "not ours"
    (kept,) = left.values()
    assert b'"other"' in gzip.decompress(kept.read_bytes())
    checked = await erasure_check.check_erasure(place(database), 1, receipt.erasure_id, "user", USER)
    assert checked.left["archived_files"] == 0
    (tmp_path / "1" / f"{living}.json.gz").write_bytes(b"")
    checked = await erasure_check.check_erasure(place(database), 1, receipt.erasure_id, "user", USER)
    assert checked.left["archived_files"] == 1


async def test_a_session_that_is_erased_while_it_is_archived_leaves_no_file(
    database: Database, pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = now() - 4 * DAY
    await visit(pipeline, clicks(moment, 5), fields=SessionFields(user_id=USER, ttl_hours=1), received=moment)
    store = database.maintained
    store.settings = msgspec.structs.replace(store.settings, archive_dir=tmp_path)
    write = archive.write_session

    async def slow(*arguments: Any) -> Any:
        part = await write(*arguments)
        await erase(database)
        return part

    monkeypatch.setattr(archive, "write_session", slow)
    assert await session_expiry.expire_sessions(store) == 0
    assert list((tmp_path / "1").iterdir()) == []
