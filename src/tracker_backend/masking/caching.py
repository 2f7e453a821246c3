"""Caches of what masking finds out about short texts. Long texts are not cached: they would fill the memory."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import TypeVar

T = TypeVar("T")
CACHED = 1024
"""Longer texts, in characters, are seldom the same twice."""


def cache_short_texts(entries: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Decorates a function of a text: its results for so many texts of at most `CACHED` characters are kept."""

    def decorate(function: Callable[[str], T]) -> Callable[[str], T]:
        cached = lru_cache(maxsize=entries)(function)

        @wraps(function)
        def call(text: str) -> T:
            return cached(text) if len(text) <= CACHED else function(text)

        return call

    return decorate
