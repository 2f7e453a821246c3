"""Times as clients write them."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker_backend.errors import Invalid
from tracker_backend.ingest.clock import MOST_OFFSET
from tracker_backend.queries.filters import time_parameter
from tracker_backend.times import FARTHEST, HOUR, hour_of, parse_time, to_datetime

MOMENT = datetime(2026, 11, 21, 10, 0, 4, 250_000, tzinfo=UTC)
MICROSECONDS = 1_795_255_204_250_000


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-21T10:00:04.250Z",
        "2026-11-21T10:00:04.250000+00:00",
        "2026-11-21 10:00:04.250",
        "2026-11-21T10:00:04,25",
        "20261121T100004.25Z",
        "2026-11-21T11:00:04.250+01:00",
        "2026-11-21T00:30:04.25-09:30",
        1_795_255_204_250,
        1_795_255_204_250.0,
        1_795_255_204.25,
        "1795255204250",
        "+1795255204250.0",
        "1795255204.25",
        "1.79525520425e12",
    ],
)
def test_a_moment_may_be_written_in_many_ways(value: float | str) -> None:
    assert parse_time(value) == MICROSECONDS


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (99_999_999_999, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (100_000_000_000, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (-100_000_000_000, datetime(1966, 10, 31, 14, 13, 20, tzinfo=UTC)),
        ("1701122345", datetime(2023, 11, 27, 21, 59, 5, tzinfo=UTC)),
        ("-1", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("20261121", datetime(1970, 8, 23, 12, 5, 21, tzinfo=UTC)),
        ("2026-11-21", datetime(2026, 11, 21, tzinfo=UTC)),
        ("0001-01-01T00:00:00", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
    ],
)
def test_small_numbers_are_seconds_and_large_ones_milliseconds(value: float | str, moment: datetime) -> None:
    parsed = parse_time(value)
    assert parsed is not None
    assert to_datetime(parsed) == moment


@pytest.mark.parametrize("value", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 10**14, -(10**14)])
def test_a_time_just_outside_the_calendar_is_a_time(value: float | str) -> None:
    assert isinstance(parse_time(value), int)


@pytest.mark.parametrize("value", [10**15, 10**15 + 1, 5e17, 2**63, 10**400, 1e308, "9" * 30, "1e20"])
def test_a_time_further_away_is_cut_to_what_readers_can_compute_with(value: float | str) -> None:
    assert parse_time(value) == FARTHEST
    assert parse_time(f"-{value}" if isinstance(value, str) else -value) == -FARTHEST


@pytest.mark.parametrize(
    "value",
    [
        "", " ", "now", "yesterday", "2026-13-01", "2026-02-30T00:00:00Z", "10:00", "1e400", "1_000", "\u0661\u0662",
        "1795255204250 ", "0x10", "+-1", ".5", "9" * 31, "9" * 5000, "nan", "inf",
        "2026-11-21T25:00:00Z", "2026-11-21T10:00:04.250ZZ", "\ufffd", "10000-01-01T00:00:00Z",
        math.nan, math.inf, -math.inf,
    ],
)  # fmt: skip
def test_what_is_no_time_is_none(value: float | str) -> None:
    assert parse_time(value) is None


@given(st.integers(-(10**11) + 1, 10**11 - 1) | st.integers(10**11, 10**15))
def test_whole_numbers_are_exact_also_as_texts(value: int) -> None:
    assert parse_time(value) == parse_time(str(value)) == value * (1_000_000 if abs(value) < 10**11 else 1000)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_sums_of_any_two_times_fit_into_a_bigint(value: float) -> None:
    parsed = parse_time(value)
    assert parsed is not None
    assert abs(parsed) * 2 + 2 * MOST_OFFSET < 2**63


@given(
    st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 — of `timezones`
    st.integers(-14 * 60, 14 * 60),
)
def test_iso_texts_are_exact_in_every_zone(moment: datetime, offset: int) -> None:
    there = moment.astimezone(timezone(timedelta(minutes=offset)))
    parsed = parse_time(there.isoformat())
    assert parsed is not None
    assert to_datetime(parsed) == moment


def test_the_hour_of_a_time_is_its_start() -> None:
    assert to_datetime(hour_of(MICROSECONDS)) == MOMENT.replace(minute=0, second=0, microsecond=0)
    assert hour_of(-1) == -HOUR
    assert hour_of(0) == 0


@pytest.mark.parametrize(
    "text", [MOMENT.isoformat(), MOMENT.isoformat().replace("+", " "), "1795255204250", "1795255204.25"]
)
def test_a_parameter_is_read_like_a_time_and_as_a_number(text: str) -> None:
    assert time_parameter(text, "from") == MOMENT


@pytest.mark.parametrize("text", ["", "noon", "nan", "inf", "1e300", "-99999999999", "0001-01-01T00:00:00+14:00"])
def test_a_parameter_that_is_no_time_is_named(text: str) -> None:
    with pytest.raises(Invalid, match="`to` is "):
        time_parameter(text, "to")


def test_a_parameter_that_is_not_given_is_none() -> None:
    assert time_parameter(None, "from") is None
