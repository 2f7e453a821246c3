"""What masking may spend on one request: what a request asks for beyond it is masked as a whole, unsearched."""

import math
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager

_LEAST, _MOST = 2000, 400_000
_BYTES_A_STEP = 16


class BudgetSpentError(ValueError):
    """Nothing more may be searched: what was not yet searched has to be masked."""


class _Budget(threading.local):
    left: float = math.inf

    def is_spent(self) -> bool:
        """Whether something of the request is masked unsearched."""
        return self.left < 0


_budget = _Budget()


@contextmanager
def limited(size: int) -> Generator[Callable[[], bool]]:
    """Limits what is spent in this thread for a request of `size` bytes: one step for each 16 bytes, and 2,000 more,
    but at most 400,000.

    A step is four values of JSON, a text, half a name, or a quarter of a match in a text, and takes 2.5 to 4 µs. So
    masking takes at most 0.25 s a megabyte, 1.6 s a request, and 16 ms for 32 KiB, above which a batch leaves the event
    loop. Real pages need a third of it.

    Yields what tells, before the end, whether the budget is spent.
    """
    _budget.left = min(_LEAST + size // _BYTES_A_STEP, _MOST)
    try:
        yield _budget.is_spent
    finally:
        _budget.left = math.inf


def spend(steps: int) -> None:
    """Raises `BudgetSpentError` if the request has no steps left."""
    _budget.left -= steps
    if _budget.left < 0:
        raise BudgetSpentError
