"""What happens to a signal that comes at a bad moment."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from tracker_backend.serve import StopRequest
from tracker_backend.stop_signals import STOP_SIGNALS, call_on_stop


@pytest.fixture
def stop_request() -> Iterator[StopRequest]:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    yield StopRequest()
    for number, handler in zip(STOP_SIGNALS, before, strict=True):
        signal.signal(number, handler)


class Dying:
    """Python drops every exception that is raised while an object of this goes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_comes_where_no_exception_gets_out_stops_all_the_same(stop_request: StopRequest) -> None:
    stopped: list[int] = []
    stop_request.forward_to(lambda number, _: stopped.append(number))
    assert (stop_request.is_set, stopped) == (False, [])
    Dying()
    assert (stop_request.is_set, stopped) == (True, [signal.SIGTERM])


def test_a_signal_of_before_stops_at_once_and_each_later_one_again(stop_request: StopRequest) -> None:
    stopped: list[int] = []
    signal.raise_signal(signal.SIGINT)
    stop_request.forward_to(lambda number, _: stopped.append(number))
    assert stopped == [signal.SIGTERM]
    signal.raise_signal(signal.SIGHUP)
    assert stopped == [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_subscribers_hear_of_every_signal_that_stops_the_server(stop_request: StopRequest, number: int) -> None:
    stopped: list[int] = []
    heard = asyncio.Event()
    stop_request.forward_to(lambda number, _: stopped.append(number))
    undo = call_on_stop(heard.set)
    signal.raise_signal(number)
    await heard.wait()
    undo()
    assert stopped == [number]
