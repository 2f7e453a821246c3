"""A batch that breaks the transaction fails alone; those that were in it too are committed."""

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import httpx
import pytest

from tests.http.api import API, batch, check_problem, event, events_of, get
from tracker_backend.http.services import Services
from tracker_backend.ingest.batch import Outcome, Placed
from tracker_backend.ingest.commit import Written

BROKEN = b'{"n":' + b"9" * 140_000 + b"}"  # jsonb holds 131,072 digits: only the database finds that out

SENT = 12


class Gate:
    """Holds the first transaction until all other batches wait for the next one, and notes the sizes of groups."""

    def __init__(self, services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups: list[int] = []
        self.is_held = asyncio.Event()
        self._all_wait = asyncio.Event()
        self._arrived = 0
        self._write = services.pipeline.writer.write
        self._store = services.pipeline.commit.write
        monkeypatch.setattr(services.pipeline.writer, "write", self.write)
        monkeypatch.setattr(services.pipeline.commit, "write", self.store)

    async def write(self, placed: Placed) -> Outcome:
        self._arrived += 1
        if self._arrived == SENT + 1:
            asyncio.get_running_loop().call_soon(self._all_wait.set)
        return await self._write(placed)

    async def store(self, group: Sequence[Placed]) -> list[Written]:
        self.is_held.set()
        await self._all_wait.wait()
        self.groups.append(len(group))
        return await self._store(group)


@pytest.mark.parametrize("broken", [{0}, {SENT - 1}, {5}, {2, 3, 9}, set(range(SENT))])
async def test_broken_batches_are_refused_and_their_neighbours_commit(
    own_client: httpx.AsyncClient, standing_services: Services, monkeypatch: pytest.MonkeyPatch, broken: set[int]
) -> None:
    client = own_client
    sessions = [str(UUID(int=uuid4().int // 64 * 64)) for _ in range(SENT + 1)]  # of one share, so one transaction
    gate = Gate(standing_services, monkeypatch)
    first = asyncio.create_task(client.post(f"{API}/track", json=batch(session_id=sessions[SENT])))
    await gate.is_held.wait()
    bodies = [
        batch(event(event_data={"n": 1}), event(event_data={"n": index}), session_id=sessions[index])
        for index in range(SENT)
    ]

    async def send(index: int) -> httpx.Response:
        text = httpx.Request("POST", "http://x", json=bodies[index]).content
        return await client.post(f"{API}/track", content=text.replace(b'{"n":1}', BROKEN) if index in broken else text)

    answers = await asyncio.gather(*(send(index) for index in range(SENT)))

    assert (await first).status_code == 201
    assert gate.groups[:2] == [1, SENT], "the broken ones were in one transaction with the others"
    for index, answer in enumerate(answers):
        if index in broken:
            check_problem(answer, 422, "invalid", "cannot hold this batch")
        else:
            assert answer.status_code == 201, answer.text
            stored = await events_of(client, bodies[index]["session_id"])
            assert [line["event_data"] for line in stored] == [{"n": 1}, {"n": index}]
    assert (await get(client, "/sessions"))["total"] == SENT - len(broken) + 1


async def test_a_broken_batch_can_be_sent_again_mended_under_its_name(standing_client: httpx.AsyncClient) -> None:
    body = batch(event(event_data={"n": 1}), batch_id="b-1")
    text = httpx.Request("POST", "http://x", json=body).content
    refused = await standing_client.post(f"{API}/track", content=text.replace(b'{"n":1}', BROKEN))
    check_problem(refused, 422, "invalid")
    assert (await standing_client.post(f"{API}/track", content=text)).status_code == 201
    assert len(await events_of(standing_client, body["session_id"])) == 1
