"""What happens to a signal that comes at a bad moment."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from tracker_backend.serve import Ending
from tracker_backend.stop_signals import STOP_SIGNALS, on_stop


@pytest.fixture
def ending() -> Iterator[Ending]:
    before = [signal.getsignal(number) for number in STOP_SIGNALS]
    yield Ending()
    for number, handler in zip(STOP_SIGNALS, before, strict=True):
        signal.signal(number, handler)


class Dying:
    """Python drops every exception that is raised while an object of this goes."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_comes_where_no_exception_gets_out_stops_all_the_same(ending: Ending) -> None:
    stopped: list[int] = []
    ending.use(lambda number, _: stopped.append(number))
    assert (ending.is_wanted, stopped) == (False, [])
    Dying()
    assert (ending.is_wanted, stopped) == (True, [signal.SIGTERM])


def test_a_signal_of_before_stops_at_once_and_each_later_one_again(ending: Ending) -> None:
    stopped: list[int] = []
    signal.raise_signal(signal.SIGINT)
    ending.use(lambda number, _: stopped.append(number))
    assert stopped == [signal.SIGTERM]
    signal.raise_signal(signal.SIGHUP)
    assert stopped == [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_subscribers_hear_of_every_signal_that_stops_the_server(ending: Ending, number: int) -> None:
    stopped: list[int] = []
    heard = asyncio.Event()
    ending.use(lambda number, _: stopped.append(number))
    undo = on_stop(heard.set)
    signal.raise_signal(number)
    await heard.wait()
    undo()
    assert stopped == [number]
