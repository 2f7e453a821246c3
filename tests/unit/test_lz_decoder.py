"""Large LZ-String texts are decompressed by one process, which comes when it is needed and goes when it is told."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import psutil
import pytest

from tests.unit.browser_packers import Packers, needs_packers
from tracker_backend.dialects.uxcam.lz_decoder import LzDecoder
from tracker_backend.dialects.uxcam.text_member import read_text_member
from tracker_backend.errors import Invalid, TooLarge, Unavailable
from tracker_backend.text_cleaning import clean_json

LIMIT = 10_000_000
LARGE = "[" + "1," * 50_000 + "1]"


_others: set[psutil.Process] = set()
"""Those of servers that other tests left running."""


@pytest.fixture(autouse=True)
def only_own() -> None:
    """Makes `workers` count from here."""
    _others.clear()
    _others.update(workers())


def workers() -> list[psutil.Process]:
    """The processes that decompress, of this test's process and begun in this test."""
    found: list[psutil.Process] = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # gone meanwhile
            if child not in _others and any("lz_worker" in word for word in child.cmdline()):
                found.append(child)
    return found


@pytest.fixture
async def decoder() -> AsyncIterator[LzDecoder]:
    made = LzDecoder(seconds=60)
    yield made
    await made.close()
    assert workers() == []


async def test_nothing_is_started_for_small_texts(decoder: LzDecoder) -> None:
    assert await decoder.decompress("[1]", LIMIT) == b"[1]"
    with pytest.raises(Invalid):
        await decoder.decompress("junk", LIMIT)
    assert workers() == []


async def test_one_process_decompresses_all_large_texts(decoder: LzDecoder) -> None:
    texts = ["[" + f"{it}," * 50_000 + "1]" for it in range(5)]
    assert await asyncio.gather(*(decoder.decompress(it, LIMIT) for it in texts)) == [it.encode() for it in texts]
    assert len(workers()) == 1


@pytest.mark.parametrize("number", [5, 7])
async def test_the_errors_of_a_large_text_are_those_of_a_small_one(decoder: LzDecoder, number: int) -> None:
    for _ in range(2):
        with pytest.raises(TooLarge, match=f"more than {number} bytes"):
            await decoder.decompress(LARGE, number)
        with pytest.raises(Invalid, match="not LZ-String compressed JSON"):
            await decoder.decompress("\ud800" * 100_000, LIMIT)
    assert await decoder.decompress(LARGE, LIMIT) == LARGE.encode()


async def test_a_process_that_died_is_started_anew(decoder: LzDecoder) -> None:
    await decoder.decompress(LARGE, LIMIT)
    (first,) = workers()
    first.kill()
    assert await decoder.decompress(LARGE, LIMIT) == LARGE.encode()
    assert [it.pid for it in workers()] != [first.pid]


async def test_what_takes_too_long_is_ended() -> None:
    decoder = LzDecoder(seconds=0.001)  # a process is not even there by then
    with pytest.raises(Unavailable, match="took longer than"):
        await decoder.decompress(LARGE, LIMIT)
    assert workers() == []
    await decoder.close()


async def test_the_answer_to_a_caller_who_left_is_given_to_nobody(decoder: LzDecoder) -> None:
    await decoder.decompress(LARGE, LIMIT)
    (first,) = workers()
    leaving = asyncio.create_task(decoder.decompress("[" + "2," * 2_000_000 + "2]", LIMIT))
    await asyncio.sleep(0)  # the question is on its way
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert not first.is_running()
    assert await decoder.decompress(LARGE, LIMIT) == LARGE.encode()


async def test_closing_ends_what_is_under_way(decoder: LzDecoder) -> None:
    await decoder.decompress(LARGE, LIMIT)
    waiting = [asyncio.create_task(decoder.decompress(LARGE, LIMIT)) for _ in range(3)]
    await asyncio.sleep(0)
    await decoder.close()
    for task in waiting:
        with pytest.raises(Unavailable):
            await task
    with pytest.raises(Unavailable):
        await decoder.decompress(LARGE, LIMIT)


@pytest.mark.parametrize("encoding", ["compress", "compressToUTF16", "compressToBase64"])
class TestOfTheLibrary:
    pytestmark = needs_packers

    async def test_a_large_text_passes_unchanged(self, decoder: LzDecoder, encoding: str) -> None:
        noise = random.Random(1)
        sent = json.dumps(["".join(chr(noise.randrange(32, 0xD800)) for _ in range(100_000))], ensure_ascii=False)
        with Packers() as packers:
            body = packers.pack(sent)[encoding]
        compressed = read_text_member(body, clean_json(body), "snapshots")
        assert compressed is not None
        assert await decoder.decompress(compressed, LIMIT) == sent.encode()
        assert len(workers()) == 1
