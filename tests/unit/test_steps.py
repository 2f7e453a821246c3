"""The steps of ingest, one by one."""

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from tracker_backend.accounts.project_settings import ProjectSettings
from tracker_backend.errors import Invalid
from tracker_backend.event import Event
from tracker_backend.ingest import clock, steps
from tracker_backend.ingest.batch import Batch, Counts, SessionFields
from tracker_backend.ingest.pages import split_page
from tracker_backend.ingest.wire import decode_track, with_extra
from tracker_backend.settings import Settings
from tracker_backend.times import DAY, HOUR, SECOND

NOW = 1_795_255_204_250_000
SETTINGS = Settings()
SKEW = SETTINGS.clock_skew * SECOND
SESSION = "6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11"


def make(*events: Event, **fields: Any) -> Batch:
    """A batch of these events, received now."""
    ids = {"project_id": 1, "session_id": uuid.UUID(SESSION)}
    told: dict[str, Any] = {"session": SessionFields(), "project": ProjectSettings(), **ids, **fields}
    return Batch(received_at=NOW, size=1, events=list(events), **told)


def mask(batch: Batch) -> Batch:
    """The step that masks."""
    return steps.mask_secrets(batch, SETTINGS)


def truncate(batch: Batch) -> Batch:
    """The step that cuts texts."""
    return steps.truncate_fields(batch, SETTINGS)


def event(**fields: Any) -> Event:
    """A click of now."""
    told: dict[str, Any] = {"event_type": "click", "page_url": "https://shop.example/", "timestamp": NOW // 1000}
    return Event(**{**told, **fields})


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://shop.example/cart?q=1#top", "shop.example", "/cart"),
        ("https://shop.example", "shop.example", "/"),
        ("https://shop.example?q=1", "shop.example", "/"),
        ("https://shop.example#x", "shop.example", "/"),
        ("HTTPS://Shop.EXAMPLE:8443/Cart", "shop.example:8443", "/Cart"),
        ("https://user:pass@shop.example/a", "shop.example", "/a"),
        ("//shop.example/a", "shop.example", "/a"),
        ("/cart?q=1", "", "/cart"),
        ("cart", "", "cart"),
        ("", "", "/"),
        ("http://[::1]:8080/a", "[::1]:8080", "/a"),
        ("https://[broken/a?q#f", "", "https://[broken/a"),
        ("https://[broken#f?q", "", "https://[broken"),
        ("file:///C:/a.html", "", "/C:/a.html"),
        ("about:blank", "", "blank"),
        ("https://shop.example/" + "ä" * 600, "shop.example", "/" + "ä" * 511),
        ("https://" + "h" * 600 + "/a", "h" * 512, "/a"),
    ],
)
def test_a_url_is_split_into_host_and_path(url: str, host: str, path: str) -> None:
    assert split_page(url) == (host, path)


@given(st.text())
def test_every_text_has_a_host_and_a_path_without_query_and_fragment(url: str) -> None:
    host, path = split_page(url)
    assert len(host) <= 512
    assert 0 <= len(path) <= 512
    assert not set(path) & set("?#")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, None),
        ("Enter", "Enter"),
        ("ArrowUp", "ArrowUp"),
        ("F5", "F5"),
        ("F12", "F12"),
        ("Tab", "Tab"),
        ("a", "char"),
        ("A", "char"),
        ("7", "char"),
        (" ", "char"),
        ("", "char"),
        ("ä", "char"),
        ("\U0001f600", "char"),
        ("enter", "char"),
        ("Enter\n", "char"),
        ("pass word", "char"),
    ],
)
def test_only_named_keys_are_kept(sent: str | None, kept: str | None) -> None:
    [line] = mask(make(event(key_pressed=sent))).events
    assert line.key_pressed == kept


@pytest.mark.parametrize(
    ("value", "masked", "kept"),
    [
        ("secret", True, "********"),
        ("s", True, "********"),
        ("green", False, "green"),
        ("green", None, "********"),
        ("", True, ""),
        (None, True, None),
    ],
)
def test_a_masked_value_is_not_kept(value: str | None, masked: bool | None, kept: str | None) -> None:
    [line] = mask(make(event(input_value=value, input_masked=masked))).events
    assert line.input_value == kept


def test_texts_are_cut_by_characters() -> None:
    [line] = truncate(make(event(event_type="\U0001f600" * 51, target_element="ä" * 256))).events
    assert (line.event_type, line.target_element) == ("\U0001f600" * 50, "ä" * 255)
    [line] = truncate(make(event(event_type="x" * 50, target_element="y" * 255))).events
    assert (line.event_type, line.target_element) == ("x" * 50, "y" * 255)


@pytest.mark.parametrize(
    ("sent_at", "offset"),
    [
        (0, 0),
        (SKEW, 0),
        (-SKEW, 0),
        (SKEW + 1000, -SKEW - 1000),
        (-SKEW - 1000, SKEW + 1000),
        (HOUR + 1, -HOUR - 1000),  # whole milliseconds, as a session stores them
        (400 * DAY, -400 * DAY),
        (-20_000 * DAY, 20_000 * DAY),
    ],
)
def test_sent_at_tells_the_offset_of_a_clock(sent_at: int, offset: int) -> None:
    """Whatever times the events have by that clock."""
    for times in ([], [NOW + sent_at - 3 * DAY], [NOW + sent_at + HOUR]):
        assert clock.estimate_clock_offset(make(sent_at=NOW + sent_at, times=times), SETTINGS).offset == offset


@pytest.mark.parametrize("sent_at", [NOW + 200 * 366 * DAY, -(10**18), 10**18])
def test_what_is_beyond_all_clocks_tells_nothing(sent_at: int) -> None:
    for times in ([], [sent_at], [sent_at - DAY]):
        assert clock.estimate_clock_offset(make(sent_at=sent_at, times=times), SETTINGS).offset is None


@pytest.mark.parametrize(
    ("known", "shown", "newest", "correction"),
    [
        (0, 0, -HOUR, 0),
        (0, -60 * SECOND, 0, 0),  # within what a clock may be off, twice
        (0, -60 * SECOND - 1000, -HOUR, -60 * SECOND - 1000),
        (0, 300 * SECOND, 0, 0),  # a request may take this long
        (0, 301 * SECOND, 0, 301 * SECOND),
        (-2 * HOUR, 0, 0, 2 * HOUR),
        (-2 * HOUR, 0, 2 * HOUR, 0),  # captured before the clock was set back
        (2 * HOUR, 0, -DAY, -2 * HOUR),
    ],
)
def test_a_corrected_clock_is_shown_by_sent_at(known: int, shown: int, newest: int, correction: int) -> None:
    sent_at = NOW - shown
    batch = clock.estimate_clock_offset(make(sent_at=sent_at, times=[sent_at + newest]), SETTINGS)
    assert clock.correction_of(batch, known, SETTINGS) == correction
    assert clock.correction_of(make(times=[NOW + HOUR]), known, SETTINGS) == 0, "not without one"


@pytest.mark.parametrize("sent_at", [1234 * 1_000_000, NOW + 10_000 * DAY, NOW - 30 * DAY])
def test_a_sent_at_of_another_clock_than_the_events_tells_nothing(sent_at: int) -> None:
    assert clock.estimate_clock_offset(make(sent_at=sent_at, times=[NOW - HOUR, NOW]), SETTINGS).offset is None


@pytest.mark.parametrize(
    ("times", "offset"),
    [
        ([], None),
        ([0], None),
        ([-HOUR, -DAY], None),
        ([1], 0),
        ([SKEW], 0),
        ([SKEW + 1000], -SKEW - 1000),
        ([-HOUR, HOUR, 2 * HOUR], -2 * HOUR),
        ([DAY], -DAY),
        ([DAY + 1], None),
        ([10_000 * DAY], None),
        ([10_000 * DAY, HOUR], -HOUR),
    ],
)
def test_without_it_only_the_near_future_tells(times: list[int], offset: int | None) -> None:
    assert clock.estimate_clock_offset(make(times=[NOW + time for time in times]), SETTINGS).offset == offset


def test_a_time_that_is_none_is_named_with_its_place() -> None:
    with pytest.raises(Invalid, match=r"\$\.events\[1\]\.timestamp` is 'noon'"):
        steps.read_times(make(event(), event(timestamp="noon")), SETTINGS)


def test_the_identity_is_that_of_what_is_sent_and_never_of_when() -> None:
    def identity(**fields: Any) -> uuid.UUID | None:
        lines = fields.pop("events", [event()])
        return steps.identify(make(*lines, **fields), SETTINGS).identity

    plain = identity()
    assert plain is not None
    assert identity(sent_at=5) == plain
    assert identity(events=[event(timestamp=5)]) != plain
    assert identity(events=[event(), event()]) != plain
    assert identity(events=[event(event_data=Raw(b"1"))]) != plain
    assert identity(name="a") != plain
    assert identity(name="a", events=[event(), event()]) == identity(name="a")
    assert identity(name="a") != identity(name="b")
    assert steps.identify(make(), SETTINGS).identity is None


def test_counters_count_their_kinds() -> None:
    kinds = ["click", "dblclick", "error", "pageview", "navigation", "rage_click", "click", "Click"]
    found = steps.count_events(make(*(event(event_type=kind) for kind in kinds)), SETTINGS).counts
    assert found == Counts(events=8, clicks=2, errors=1, pages=1, rage_clicks=1)


@pytest.mark.parametrize(
    ("session", "pages", "filled"),
    [
        (None, ["a", None, "b", None], ["a", "a", "b", "b"]),
        (None, [None, "", "a"], ["a", "a", "a"]),
        ("s", [None, "a", None], ["s", "a", "a"]),
        ("s", [None], ["s"]),
    ],
)
def test_pages_are_filled_in(session: str | None, pages: list[str | None], filled: list[str]) -> None:
    batch = make(*(event(page_url=page) for page in pages), session=SessionFields(page_url=session))
    assert [line.page_url for line in steps.fill_pages(batch, SETTINGS).events] == filled


def test_a_batch_without_any_page_is_refused() -> None:
    with pytest.raises(Invalid, match="page_url"):
        steps.fill_pages(make(event(page_url=None), event(page_url="")), SETTINGS)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", b'{"a":1}'),
        (b"null", b'{"a":1}'),
        (b"{}", b'{"a":1}'),
        (b'{"b":2}', b'{"b":2,"a":1}'),
        (b'  {"a":0}', b'{"a":0,"$a":1}'),
        (b"[1]", b'{"$value":[1],"a":1}'),
        (b'"x"', b'{"$value":"x","a":1}'),
        (b"0", b'{"$value":0,"a":1}'),
    ],
)
def test_more_members_take_nothing_away(data: bytes, expected: bytes) -> None:
    assert bytes(with_extra(Raw(data), {"a": Raw(b"1")})) == expected
    assert bytes(with_extra(Raw(data), {})) == data


def test_fractions_are_rounded_and_what_is_no_whole_number_is_kept_beside() -> None:
    body = '{"session_id":"%s","events":[{"timestamp":1.5,"event_type":"x","viewport_x":%s}]}'
    numbers = {"1.4": 1, "-1.6": -2, "1e2": 100, "null": None, "2147483647.2": 2147483647, '"5"': 5}
    for text, value in numbers.items():
        [line] = decode_track((body % (SESSION, text)).encode()).events
        assert line.viewport_x == value
    for text in ('"left"', "true", "[]", "2147483648.0", "1e999"):
        [line] = decode_track((body % (SESSION, text)).encode()).events
        assert line.viewport_x is None
        assert bytes(line.event_data) == b'{"viewport_x":' + text.encode() + b"}"
