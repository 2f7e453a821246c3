"""What is stored of a batch of rrweb events is what every player and every reader of JSON takes."""

import json
import subprocess
import threading
import zlib
from typing import Any, cast

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.unit.browser_packers import TRACKER_JS, needs_packers
from tracker_backend.accounts.project_settings import Masking
from tracker_backend.errors import Invalid, TooLarge
from tracker_backend.masking.patterns import MASK
from tracker_backend.recordings.frames import decode_frame, hide_in_frame
from tracker_backend.recordings.reading import read_recording
from tracker_backend.recordings.recording import Recording
from tracker_backend.recordings.rrweb_events import client_time, is_type

BASE = 1_795_255_200_000
LIMIT = 1_000_000
CLICK = b'{"type":3,"data":{"source":2,"type":2,"id":7,"x":1,"y":2},"timestamp":%b}'


def read(*events: bytes, limit: int = LIMIT) -> Recording:
    """The recording of these texts."""
    return read_recording([Raw(event) for event in events], limit, Masking())


def stored(*events: bytes) -> list[bytes]:
    """The events that are stored of these."""
    return decode_frame(read(*events).data)


def one(event: bytes) -> Any:
    """What the standard library's reader makes of the one that is stored."""
    (text,) = stored(event)
    return json.loads(text)


@pytest.mark.parametrize(
    ("sent", "milliseconds"),
    [
        (b"1795255200", BASE),
        (b"1795255200.25", BASE + 250),
        (b'"2026-11-21T10:00:00Z"', BASE),
        (b'"2026-11-21T12:00:00.007+02:00"', BASE + 7),
        (b"1795255200000", BASE),
        (b"1795255200000.5", BASE + 0.5),
        (b"1500", 1500),
        (b"0", 0),
    ],
)
def test_a_time_is_stored_in_milliseconds(sent: bytes, milliseconds: float) -> None:
    assert one(CLICK % sent)["timestamp"] == milliseconds
    first = read(CLICK % sent).client_first
    assert client_time(stored(CLICK % sent)[0]) == first


def test_events_with_times_of_several_units_are_stored_in_their_order() -> None:
    found = stored(CLICK % b"1795255202", CLICK % b'"2026-11-21T10:00:01Z"', CLICK % b"1795255200000")
    assert [json.loads(text)["timestamp"] for text in found] == [BASE, BASE + 1000, BASE + 2000]


@pytest.mark.parametrize("sent", [b"2", b'"2"', b"2.0", b"2e0"])
def test_a_type_is_stored_as_an_integer(sent: bytes) -> None:
    event = b'{"type":%b,"data":{"node":{"id":1,"text":"password: hunter2"}},"timestamp":%d}' % (sent, BASE)
    recording = read(event)
    assert recording.has_full_snapshot
    (text,) = decode_frame(recording.data)
    assert is_type(text, 2)
    assert b'"type":2,' in text or b'"type":2}' in text


def test_an_unknown_type_stays() -> None:
    for sent in (b'"custom"', b"99", b"2.5", b"null"):
        assert one(b'{"type":%b,"timestamp":%d}' % (sent, BASE)) == {"type": json.loads(sent), "timestamp": BASE}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"1" * 5000, b"null"),
        (b"-" + b"1" * 5000, b"null"),
        (b"1e309", b"null"),
        (b"-1E+400", b"null"),
        (b"1" * 400 + b".5e3", b"null"),
        (b"1" * 308, b"1" * 308),
        (b"0." + b"3" * 5000, b"0." + b"3" * 5000),
        (b"1e-400", b"1e-400"),
        (b"1e308", b"1e308"),
        (b'"' + b"1" * 5000 + b'"', b'"' + b"1" * 5000 + b'"'),
        (b'"\\"9e999"', b'"\\"9e999"'),
    ],
)
def test_a_number_beyond_a_double_is_null_as_browsers_write_it(sent: bytes, kept: bytes) -> None:
    for place in (b'{"a":[%b,1],"b":"7e777"}', b"[%b]", b"%b"):
        (text,) = stored(b'{"type":5,"data":%b,"timestamp":%d}' % (place % sent, BASE))
        assert b'"data":' + place % kept + b"," in text
        json.loads(text)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.text(max_size=9) | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**320), 10**320),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    )
)
def test_only_such_numbers_change(value: Any) -> None:
    def as_read(each: Any) -> Any:
        if isinstance(each, list):
            return [as_read(item) for item in cast("list[Any]", each)]
        if isinstance(each, dict):
            return {name: as_read(item) for name, item in cast("dict[str, Any]", each).items()}
        return None if isinstance(each, int) and abs(each) >= 2**1024 else each

    found = one(json.dumps({"type": 99, "data": {"x": value}, "timestamp": BASE}).encode())
    if MASK not in json.dumps(found):
        assert found["data"]["x"] == as_read(value)


_PACK = """
import { pack, unpack } from '@rrweb/packer';
const events = JSON.parse(process.argv[1]);
console.log(JSON.stringify(events.map((event) => pack(event))));
"""
TYPED: dict[str, Any] = {
    "type": 3,
    "data": {"source": 5, "id": 4, "text": "hunter2@shop.example", "isChecked": False},
    "timestamp": BASE,
}
PAGE: dict[str, Any] = {
    "type": 2,
    "data": {
        "node": {
            "type": 0,
            "id": 1,
            "childNodes": [{"type": 3, "textContent": "é \u0000 \U0001f600 password", "id": 2}],
        }
    },
    "timestamp": BASE + 1,
}


def packed(event: Any, mark: str = "v1") -> bytes:
    """An event as `@rrweb/packer` packs it."""
    return json.dumps(zlib.compress(json.dumps({**event, "v": mark}).encode()).decode("latin-1")).encode()


@pytest.mark.skipif(not (TRACKER_JS / "node_modules/@rrweb/packer").exists(), reason="no tracker_js/node_modules")
def test_events_of_the_real_packer_are_stored_unpacked_and_masked() -> None:
    for mark in needs_packers:
        if mark.args[0]:
            pytest.skip(mark.kwargs["reason"])
    command = ["node", "--input-type=module", "--eval", _PACK, json.dumps([PAGE, TYPED])]
    made = subprocess.run(command, cwd=TRACKER_JS, capture_output=True, check=True)
    typed, page = map(json.loads, stored(*msgspec.json.decode(made.stdout, type=list[Raw])))
    assert typed == {**TYPED, "data": {**TYPED["data"], "text": MASK}}
    assert page == PAGE


def test_packed_events_are_unpacked_beside_others() -> None:
    assert one(packed(PAGE)) == PAGE
    assert one(json.dumps(json.dumps(PAGE)).encode()) == PAGE, "the packer's reader takes plain JSON in a text too"
    assert [json.loads(text)["timestamp"] for text in stored(packed(PAGE), CLICK % b"1795255200000")] == [
        BASE,
        BASE + 1,
    ]


@pytest.mark.parametrize(
    "event",
    [
        b'"abc"',
        b'""',
        '"\u20ac"'.encode(),
        packed(PAGE)[:60] + b'"',
        json.dumps(zlib.compress(b"[1]").decode("latin-1")).encode(),
    ],
)
def test_a_text_that_is_no_packed_event_is_named(event: bytes) -> None:
    with pytest.raises(Invalid, match=r"\$\.events\[1\]"):
        read(CLICK % b"1795255200000", event)


def test_packed_events_inflate_to_the_limit_of_a_batch_together() -> None:
    event = packed({**PAGE, "data": {"x": "a" * (LIMIT // 3)}})
    read(event, event)
    with pytest.raises(TooLarge, match=str(LIMIT)):
        read(event, event, event)
    with pytest.raises(TooLarge):
        read(packed({"x": "a" * 50_000_000}))


def gzipped(value: Any) -> str:
    """A value as posthog-js packs it."""
    packer = zlib.compressobj(wbits=31)
    return (packer.compress(json.dumps(value).encode()) + packer.flush()).decode("latin-1")


def test_data_that_posthog_packed_is_unpacked_and_masked() -> None:
    secret = {"attributes": [{"id": 4, "attributes": {"value": "hunter2@shop.example"}}], "source": 0}
    part = {"source": 0, "attributes": gzipped(secret["attributes"]), "texts": gzipped([]), "isAttachIframe": False}
    whole = json.dumps({"type": 2, "data": gzipped(PAGE["data"]), "cv": "2024-10", "timestamp": BASE + 1}).encode()
    assert one(whole) == PAGE
    found = one(json.dumps({"type": 3, "data": part, "cv": "2024-10", "timestamp": BASE}).encode())
    assert found["data"] == {
        "source": 0,
        "attributes": [{"id": 4, "attributes": {"value": MASK}}],
        "texts": [],
        "isAttachIframe": False,
    }


def deep(levels: int, inside: str = "hunter2@shop.example") -> bytes:
    """A page of so many elements in one another."""
    begin, end = b'{"type":2,"tagName":"div","attributes":{},"id":3,"childNodes":[', b"]}"
    leaf = json.dumps({"type": 2, "tagName": "input", "attributes": {"type": "password", "value": inside}, "id": 9})
    node = begin * levels + leaf.encode() + end * levels
    return b'{"type":2,"data":{"node":{"type":0,"id":1,"childNodes":[%b]}},"timestamp":%d}' % (node, BASE)


def test_a_page_of_1000_elements_in_one_another_is_masked_and_read_in_threads_too() -> None:
    kept: list[bytes] = []

    def work() -> None:
        recording = read(deep(1000), b'{"type":3,"data":{"source":5,"id":8,"text":"lamp"},"timestamp":%d}' % (BASE + 1))
        frame, _ = hide_in_frame(recording.data, frozenset({"rrweb 8"}))
        kept.extend(decode_frame(frame))
        assert client_time(kept[0]) == BASE * 1000

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(kept) == 2
    assert b"hunter2" not in kept[0]
    assert b"lamp" not in kept[1]
    assert kept[0].count(b"childNodes") == 1001
    work()
    assert kept[2:] == kept[:2]


@pytest.mark.parametrize("levels", [2_000, 100_000, 1_000_000])
def test_deeper_ones_are_refused_wherever_they_are_read(levels: int) -> None:
    caught: list[Exception] = []

    def work() -> None:
        try:
            read_recording(
                [Raw(b'{"type":2,"data":%b1%b,"timestamp":1}' % (b"[" * 2 * levels, b"]" * 2 * levels))],
                10**7,
                Masking(),
            )
        except Invalid as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    work()
    assert len(caught) == 2
    assert all("nested too deeply" in str(error) for error in caught)
