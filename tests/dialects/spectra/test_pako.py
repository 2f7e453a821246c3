"""Batches that the real `pako` packed, and the example of the documentation."""

import base64
import json
import zlib

import httpx
import pytest

from tests.dialects.recorded import visit
from tests.dialects.spectra.requests import new_id, post, read
from tests.unit.browser_packers import PAKO, Packers, needs_packers
from tracker_backend.dialects.spectra import examples


class TestPako:
    pytestmark = needs_packers

    @pytest.mark.parametrize("packer", PAKO)
    async def test_what_pako_packs_is_replayed(
        self, standing_client: httpx.AsyncClient, packers: Packers, packer: str
    ) -> None:
        session = new_id()
        data = json.loads(packers.pack(json.dumps(visit()))[packer])["snapshots"]
        answer = await post(standing_client, f"{session}/events", {"events": {"compressed": True, "data": data}})
        assert answer["received"]["events"] == 3
        assert (await read(standing_client, f"/{session}/replay"))["events"] == visit()


def test_the_example_of_the_documentation_holds_what_it_counts() -> None:
    packed = base64.b64decode(examples.BATCH["events"]["data"])
    assert len(json.loads(zlib.decompress(packed))) == examples.BATCH["metadata"]["eventCount"]


async def test_the_examples_of_the_documentation_are_accepted(standing_client: httpx.AsyncClient) -> None:
    session = examples.SESSION_ID
    assert (await post(standing_client, "start", examples.START))["sessionId"] == session
    for call, body in {"events": examples.BATCH, "heartbeat": examples.HEARTBEAT, "end": examples.END}.items():
        assert (await post(standing_client, f"{session}/{call}", body))["success"]
