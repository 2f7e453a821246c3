"""Work that may take long leaves the event loop."""

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
LARGE = 64 * 1024
"""Bytes. What is larger is worked on in a thread: a body of 15 MB can take a second."""


async def run_in_thread_if_large(size: int, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Calls a function that works on `size` bytes: in a thread if they are many, so that other requests go on."""
    if size > LARGE:
        return await asyncio.to_thread(function, *arguments, **named)
    return function(*arguments, **named)
