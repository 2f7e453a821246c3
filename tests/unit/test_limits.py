"""The token bucket, with a clock of ours."""

import pytest

from tracker_backend.errors import LimitExceeded
from tracker_backend.http.limits import token_bucket
from tracker_backend.http.limits.token_bucket import TokenBucket


class Clock:
    """A clock that goes on when it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def passes(bucket: TokenBucket, per_minute: int, name: object = "a", *, most: int = 1000) -> int:
    """How many requests pass now."""
    for passed in range(most):
        try:
            bucket.take(name, per_minute)
        except LimitExceeded:
            return passed
    return most


def test_the_limit_passes_at_once_and_then_none() -> None:
    assert passes(TokenBucket(Clock()), 60) == 60


def test_tokens_come_back_evenly_and_never_more_than_the_limit() -> None:
    clock = Clock()
    bucket = TokenBucket(clock)
    assert passes(bucket, 60) == 60
    for seconds, expected in ((1, 1), (10, 10), (0.5, 0), (0.5, 1), (600, 60)):
        clock.now += seconds
        assert passes(bucket, 60) == expected


def test_names_do_not_share() -> None:
    bucket = TokenBucket(Clock())
    assert [passes(bucket, 3, name) for name in ("a", ("key", "address"), 7)] == [3, 3, 3]


def test_no_limit_lets_all_pass() -> None:
    assert passes(TokenBucket(Clock()), 0) == 1000


@pytest.mark.parametrize("per_minute", [1, 7, 60, 100, 600_000])
def test_retry_after_is_enough_and_tells_the_limit(per_minute: int) -> None:
    clock = Clock()
    bucket = TokenBucket(clock)
    assert passes(bucket, per_minute, most=per_minute) == per_minute
    with pytest.raises(LimitExceeded, match=str(per_minute)) as refused:
        bucket.take("a", per_minute)
    wait = int(refused.value.headers["Retry-After"])
    assert wait >= 1
    assert refused.value.headers["RateLimit-Limit"] == str(per_minute)
    clock.now += wait
    bucket.take("a", per_minute)


def test_refusals_cost_nothing() -> None:
    clock = Clock()
    bucket = TokenBucket(clock)
    passes(bucket, 60)
    for _ in range(500):
        assert passes(bucket, 60) == 0
    clock.now += 1.001
    assert passes(bucket, 60) == 1


def test_a_look_takes_nothing_and_tells_when_there_is_nothing() -> None:
    bucket = TokenBucket(Clock())
    for _ in range(10):
        bucket.take("a", 2, 0)
    assert passes(bucket, 2) == 2
    with pytest.raises(LimitExceeded):
        bucket.take("a", 2, 0)


def test_a_limit_that_was_changed_finds_the_bucket_as_full_as_before() -> None:
    clock = Clock()
    bucket = TokenBucket(clock)
    for _ in range(30):
        bucket.take("a", 60)
    assert passes(bucket, 600) == 300
    assert passes(bucket, 10) == 0
    clock.now += 30
    assert passes(bucket, 10) == 5


def test_the_longest_unused_name_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_bucket, "_MOST_BUCKETS", 3)
    bucket = TokenBucket(Clock())
    for name in "abc":
        bucket.take(name, 2)
    assert passes(bucket, 2, "a") == 1
    bucket.take("d", 2)  # b was unused for longest
    assert [passes(bucket, 2, name) for name in "acd"] == [0, 1, 1]
    assert passes(bucket, 2, "b") == 2
