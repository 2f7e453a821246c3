"""The token bucket, with a clock of ours."""

import pytest

from tracker_backend.errors import LimitExceeded
from tracker_backend.http import limits
from tracker_backend.http.limits import TokenBucket


class Clock:
    """A clock that goes on when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def passes(bucket: TokenBucket, name: object = "a", *, most: int = 1000) -> int:
    """How many requests pass now."""
    for passed in range(most):
        try:
            bucket.take(name)
        except LimitExceeded:
            return passed
    return most


def test_the_limit_passes_at_once_and_then_none() -> None:
    assert passes(TokenBucket(60, Clock())) == 60


def test_tokens_come_back_evenly_and_never_more_than_the_limit() -> None:
    clock = Clock()
    bucket = TokenBucket(60, clock)
    assert passes(bucket) == 60
    for seconds, expected in ((1, 1), (10, 10), (0.5, 0), (0.5, 1), (600, 60)):
        clock.now += seconds
        assert passes(bucket) == expected


def test_names_do_not_share() -> None:
    bucket = TokenBucket(3, Clock())
    assert [passes(bucket, name) for name in ("a", ("key", "address"), 7)] == [3, 3, 3]


def test_no_limit_lets_all_pass() -> None:
    assert passes(TokenBucket(0, Clock())) == 1000


@pytest.mark.parametrize("per_minute", [1, 7, 60, 100, 600_000])
def test_retry_after_is_enough_and_tells_the_limit(per_minute: int) -> None:
    clock = Clock()
    bucket = TokenBucket(per_minute, clock)
    assert passes(bucket, most=per_minute) == per_minute
    with pytest.raises(LimitExceeded, match=str(per_minute)) as refused:
        bucket.take("a")
    wait = int(refused.value.headers["Retry-After"])
    assert wait >= 1
    assert refused.value.headers["RateLimit-Limit"] == str(per_minute)
    clock.now += wait
    bucket.take("a")


def test_refusals_cost_nothing() -> None:
    clock = Clock()
    bucket = TokenBucket(60, clock)
    passes(bucket)
    for _ in range(500):
        assert passes(bucket) == 0
    clock.now += 1.001
    assert passes(bucket) == 1


def test_the_longest_unused_name_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_NAMES", 3)
    bucket = TokenBucket(1, Clock())
    for name in "abc":
        bucket.take(name)
    assert passes(bucket, "a") == 0
    bucket.take("d")  # b was unused for longest
    assert [passes(bucket, name) for name in "acd"] == [0, 0, 0]
    assert passes(bucket, "b") == 1
