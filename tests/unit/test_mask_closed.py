"""Masking fails closed: what the door accepts and masking cannot read is masked as a whole."""

import sys
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import Raw

from tests.unit.test_steps import event, make, mask
from tracker_backend.accounts.project_settings import Masking
from tracker_backend.errors import Invalid
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.rules import rules_of
from tracker_backend.recordings.reading import read_recording
from tracker_backend.zstd import decompress

TIME = 1_795_255_200_000
SECRET = b"hunter2"
NUMBERS = [b"1e309", b"-1E400", b"1" * 4301, b"1" * 20, b"0." + b"3" * 5000]


def beside(number: bytes) -> bytes:
    return b'{"password":"%b","n":%b,"value":"%b","b":[{"token":["%b"]}]}' % (SECRET, number, SECRET, SECRET)


def nested(depth: int) -> bytes:
    return b'{"a":%b{"password":"%b"}%b,"value":"%b"}' % (b"[" * depth, SECRET, b"]" * depth, SECRET)


def in_thread_at(used: int, function: Callable[[], Any]) -> Any:
    """What the function returns in a thread that has used so many calls already, as a server's may."""
    results: list[Any] = []

    def call(left: int) -> None:
        if left:
            call(left - 1)
        else:
            results.append(function())

    thread = threading.Thread(target=call, args=(used,))
    thread.start()
    thread.join()
    return results[0]


HARD = [*map(beside, NUMBERS), *map(nested, (300, 600, 880, 890))]


@pytest.mark.parametrize("kind", ["custom", "input", "change", "keydown"])
@pytest.mark.parametrize("data", HARD, ids=range(len(HARD)))
def test_an_events_data_that_cannot_be_read_holds_no_secret(kind: str, data: bytes) -> None:
    lines = [event(event_type=kind, target_id="password", input_value="hunter2", event_data=Raw(data))]
    batch = mask(make(*lines))
    assert SECRET not in bytes(batch.events[0].event_data)
    assert batch.events[0].input_value in (MASK, "hunter2")
    msgspec.json.Decoder(Raw).decode(batch.events[0].event_data)


@pytest.mark.parametrize("data", HARD, ids=range(len(HARD)))
def test_metadata_and_statistics_that_cannot_be_read_hold_no_secret(data: bytes) -> None:
    rules = rules_of(Masking())
    assert SECRET not in rules.json(data.replace(b'"value"', b'"secret"'))
    batch = make(session=SessionFields(metadata=data.replace(b'"value"', b'"secret"')))
    assert SECRET not in (mask(batch).session.metadata or b"")


@pytest.mark.parametrize("levels", [901, 976, 3_000])
def test_data_that_is_nested_deeper_is_refused(levels: int) -> None:
    with pytest.raises(Invalid, match="nested too deeply"):
        mask(make(event(event_data=Raw(nested(levels)))))
    with pytest.raises(Invalid, match="nested too deeply"):
        mask(make(session=SessionFields(metadata=nested(levels))))


def test_a_thread_with_fewer_calls_left_masks_the_same() -> None:
    rules = rules_of(Masking())
    data = nested(600).replace(b'"value"', b'"secret"')
    for used in (0, sys.getrecursionlimit() // 2, sys.getrecursionlimit() - 300):
        masked = in_thread_at(used, lambda: rules.json(data))
        assert SECRET not in masked
        assert masked.startswith(b"{")


def test_numbers_that_python_does_not_have_stay_as_they_are_written() -> None:
    rules = rules_of(Masking())
    assert rules.json(b'{"password":"x","n":1e309,"m":12345678901234567890123,"f":0.10}') == (
        b'{"password":"********","n":1e309,"m":12345678901234567890123,"f":0.10}'
    )
    clean = b'{"n":1e309}'
    assert rules.json(clean) is clean


READ = HARD[: len(NUMBERS) + 1]
"""The door refuses the deeper ones."""


@pytest.mark.parametrize("data", READ, ids=range(len(READ)))
@pytest.mark.parametrize("kind", [2, 3, 4, 5, 6])
def test_a_recorded_event_that_cannot_be_read_holds_no_secret(data: bytes, kind: int) -> None:
    payload = data.replace(SECRET, b"mary@example.com")
    text = b'[{"type":%d,"data":{"tag":"a","payload":%b,"node":%b},"timestamp":%d}]' % (kind, payload, payload, TIME)
    recording = read_recording(text, 1_000_000, Masking())
    stored = decompress(recording.data)
    assert b"mary" not in stored
    assert b'"timestamp":%d}' % TIME in stored
