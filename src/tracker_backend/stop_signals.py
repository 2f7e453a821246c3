"""Hears of the server's end when it is asked to stop. An HTTP server tells its app only after all answers are over, and
those of subscribers never are.
"""

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))
"""What asks a server to stop; SIGHUP says that its terminal was closed."""


def on_stop(end: Callable[[], None]) -> Callable[[], None]:
    """Calls `end` in this loop at the signals that the server has handlers for, which run as before; returns how to
    undo it.
    """
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    loop = asyncio.get_running_loop()
    undo = [_chain(number, loop, end) for number in STOP_SIGNALS]

    def undo_all() -> None:
        for each in undo:
            each()

    return undo_all


def _chain(number: signal.Signals, loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> Callable[[], None]:
    before = signal.getsignal(number)
    if not callable(before) or before is signal.default_int_handler:
        return lambda: None

    def handle(received: int, frame: FrameType | None) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(end)
        before(received, frame)

    def undo() -> None:
        if signal.getsignal(number) is handle:
            signal.signal(number, before)

    signal.signal(number, handle)
    return undo
