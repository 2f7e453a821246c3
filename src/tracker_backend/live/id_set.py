"""A compact set of the ids that a subscriber has. The ids of a batch are consecutive, so the set stores runs of ids.

Ids are assigned before the commit, so the next commit may have lower ids than rows that are stored already. Therefore
no single id means "everything up to here". But a commit is at most `OVERLAP_MS` later than its ids. So all ids below
an old enough floor are in the set, and the runs say which ids above the floor are.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable

from tracker_backend.storage.nodes import EPOCH_MS, NODE_BITS, PER_MS

OVERLAP_MS = 60_000
"""From an id to its commit it takes milliseconds; under load and locks up to three request time-outs of 10 s. The rest
is for differences between the clocks of several machines."""

Run = tuple[int, int]
"""The first and the last of consecutive ids of one process."""

_NODE_MASK = (1 << NODE_BITS) - 1
_TEXT = re.compile(r"(?P<floor>[0-9a-f]{1,14})(?P<runs>(?:\.[0-9a-f]{1,2}-[0-9a-f]{1,14}-[0-9a-f]{1,14})*)")
_OVERLAP = OVERLAP_MS * PER_MS


def lowest_id_at(milliseconds: int) -> int:
    """Return the lowest id of a time in milliseconds since 1970."""
    return max(0, (milliseconds - EPOCH_MS) * PER_MS) << NODE_BITS


class IdSet:
    """A set of ids: all ids up to `floor`, and runs above it.

    The newest `keep` runs are always kept. Other runs are replaced by a higher floor when they are `overlaps` times
    OVERLAP_MS older than the newest id.
    """

    def __init__(self, floor: int = 0, *, keep: int = 0, overlaps: int = 1) -> None:
        self._floor = floor >> NODE_BITS
        self._newest = self._floor
        self._keep = keep
        self._window = overlaps * _OVERLAP
        self._runs: dict[int, list[Run]] = {}  # by node number: ascending runs of counters that do not touch
        self._count = 0

    @property
    def floor(self) -> int:
        """All ids up to this one are in the set."""
        return self._floor << NODE_BITS | _NODE_MASK if self._floor else 0

    def __contains__(self, identifier: int) -> bool:
        counter = identifier >> NODE_BITS
        if counter <= self._floor:
            return True
        runs = self._runs.get(identifier & _NODE_MASK, [])
        at = bisect_left(runs, counter, key=_last)
        return at < len(runs) and runs[at][0] <= counter

    def claim(self, first: int, last: int) -> list[Run]:
        """Add consecutive ids of one process. Returns the runs of ids that were not in the set before."""
        node = first & _NODE_MASK
        low, high = max(first >> NODE_BITS, self._floor + 1), last >> NODE_BITS
        if low > high:
            return []
        runs = self._runs.setdefault(node, [])
        begin = end = bisect_left(runs, low - 1, key=_last)  # the first run that overlaps or touches
        new: list[Run] = []
        start, stop, gap = low, high, low
        while end < len(runs) and runs[end][0] <= high + 1:
            one, other = runs[end]
            if gap < one <= high:
                new.append((gap, one - 1))
            elif gap < one:
                new.append((gap, high))
            gap, start, stop = max(gap, other + 1), min(start, one), max(stop, other)
            end += 1
        if gap <= high:
            new.append((gap, high))
        runs[begin:end] = [(start, stop)]
        self._count += 1 - (end - begin)
        self._newest = max(self._newest, high)
        if self._count > 2 * self._keep + 16:
            self._prune()
        return [(one << NODE_BITS | node, other << NODE_BITS | node) for one, other in new]

    def add(self, identifier: int) -> bool:
        """Add one id. Returns False if it was in the set before."""
        return bool(self.claim(identifier, identifier))

    def update(self, other: "IdSet") -> None:
        """Add all ids of another set."""
        self._raise_floor(max(self._floor, other._floor))
        for first, last in other.runs():
            self.claim(first, last)

    def runs(self) -> Iterable[Run]:
        """Yield the runs above the floor."""
        for node, runs in self._runs.items():
            for first, last in runs:
                yield first << NODE_BITS | node, last << NODE_BITS | node

    def lowest(self) -> int:
        """Return an id below all ids in the set; 0 if it has a floor."""
        if self._floor:
            return 0
        return min((first for first, _ in self.runs()), default=1) - 1

    def _prune(self) -> None:
        ends = sorted(last for runs in self._runs.values() for _, last in runs)
        cut = self._newest - self._window
        if self._keep:
            cut = min(cut, ends[-self._keep] - 1)
        self._raise_floor(cut)

    def _raise_floor(self, floor: int) -> None:
        if floor > self._floor:
            self._floor = floor
            self._newest = max(self._newest, floor)
            for node, runs in self._runs.items():
                self._runs[node] = [(max(first, floor + 1), last) for first, last in runs if last > floor]
            self._count = sum(map(len, self._runs.values()))

    def text(self, most: int, *, exact: bool = False) -> str:
        """Return the set as a short text with at most `most` runs.

        Unless `exact` is set, older runs than a late commit can precede are replaced by a higher floor.
        """
        floor = self._floor if exact or not self._count else max(self._floor, self._newest - self._window)
        runs = sorted((last, first, node) for node, found in self._runs.items() for first, last in found)
        if len(runs) > most:
            floor = max(floor, runs[-most - 1][0])
        shown = [
            f".{node:x}-{max(first, floor + 1) - floor:x}-{last - floor:x}"
            for last, first, node in runs
            if last > floor
        ]
        return f"{floor:x}{''.join(shown)}"


def _last(run: Run) -> int:
    return run[1]


def read_id_set(text: str) -> IdSet | None:
    """Return the set that `IdSet.text` wrote; None for any other text."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    floor = int(match["floor"], 16)
    parts = match["runs"].split(".")[1:]
    ids = IdSet(floor << NODE_BITS, keep=len(parts))
    for part in parts:
        node, first, last = (int(number, 16) for number in part.split("-"))
        if node > _NODE_MASK or not 0 < first <= last:
            return None
        ids.claim((floor + first) << NODE_BITS | node, (floor + last) << NODE_BITS | node)
    return ids
