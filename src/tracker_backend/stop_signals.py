"""Handlers for the signals that ask a server to stop.

An HTTP server calls its app's shutdown only when all responses have ended, and live streams never end by themselves.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
"""Signals that ask a server to stop. SIGHUP: its terminal was closed."""


def call_on_stop(callback: Callable[[], None]) -> Callable[[], None]:
    """Call `callback` in this event loop at a stop signal, and then the handler that the server has set.

    Returns a function that removes the callback.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    removals = [_prepend(number, loop, callback) for number in STOP_SIGNALS]

    def remove_all() -> None:
        for remove in removals:
            remove()

    return remove_all


def _prepend(
    number: signal.Signals, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]
) -> Callable[[], None]:
    before = signal.getsignal(number)
    if not callable(before) or before is signal.default_int_handler:
        return lambda: None

    def handle(received: int, frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(callback)
        before(received, frame)

    def remove() -> None:
        if signal.getsignal(number) is handle:
            signal.signal(number, before)

    signal.signal(number, handle)
    return remove
