"""Runs functions that may take long in a thread, so that the event loop serves others meanwhile."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_LARGE = 32 * 1024  # bytes; masking takes up to 16 ms for so many


async def run_in_thread_if_large(size: int, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Calls a function that works on `size` bytes: in a thread if they are more than 32 KiB, else directly."""
    if size > _LARGE:
        return await asyncio.to_thread(function, *arguments, **named)
    return function(*arguments, **named)
