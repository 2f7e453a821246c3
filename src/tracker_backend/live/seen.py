"""Which ids a subscriber has, in little room: batches take their ids in one go, so that runs of ids tell it.

Ids are given before commits: what is committed next may have a lower id than what is there. So no single id says "all
up to here"; but a commit does not come later than `OVERLAP_MS` after its ids were given, so below a floor that is old
enough all is there, and above it the runs tell.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable

from tracker_backend.storage.nodes import EPOCH_MS, NODE_BITS, PER_MS

OVERLAP_MS = 60_000
"""From an id to its commit it is milliseconds; under load and locks up to the request time-out of 10 s, three times.
The rest is for the clocks of several machines."""

Run = tuple[int, int]
"""The first and the last of ids that one process gave without a gap."""

_NODE_MASK = (1 << NODE_BITS) - 1
_TEXT = re.compile(r"(?P<floor>[0-9a-f]{1,14})(?P<runs>(?:\.[0-9a-f]{1,2}-[0-9a-f]{1,14}-[0-9a-f]{1,14})*)")
_OVERLAP = OVERLAP_MS * PER_MS


def id_at(milliseconds: int) -> int:
    """The lowest id that is given at this time (since 1970)."""
    return max(0, (milliseconds - EPOCH_MS) * PER_MS) << NODE_BITS


class Seen:
    """A set of ids: all up to `floor`, and runs above it.

    `keep` runs stay whatever their age; more are cut off once they are `overlaps` times the overlap older than the
    newest id, and the floor rises over them.
    """

    def __init__(self, floor: int = 0, *, keep: int = 0, overlaps: int = 1) -> None:
        self._floor = floor >> NODE_BITS
        self._newest = self._floor
        self._keep = keep
        self._span = overlaps * _OVERLAP
        self._runs: dict[int, list[Run]] = {}  # by node: runs of counters in order, none of which touch
        self._count = 0

    @property
    def floor(self) -> int:
        """The highest id up to which all are in the set."""
        return self._floor << NODE_BITS | _NODE_MASK if self._floor else 0

    def __contains__(self, identifier: int) -> bool:
        counter = identifier >> NODE_BITS
        if counter <= self._floor:
            return True
        runs = self._runs.get(identifier & _NODE_MASK, [])
        at = bisect_left(runs, counter, key=_last)
        return at < len(runs) and runs[at][0] <= counter

    def claim(self, first: int, last: int) -> list[Run]:
        """Adds the ids from one to another of the same process; returns those that were not in the set."""
        node = first & _NODE_MASK
        low, high = max(first >> NODE_BITS, self._floor + 1), last >> NODE_BITS
        if low > high:
            return []
        runs = self._runs.setdefault(node, [])
        begin = end = bisect_left(runs, low - 1, key=_last)  # the first that overlaps or touches
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
        """Adds one id; False if it was there."""
        return bool(self.claim(identifier, identifier))

    def update(self, other: "Seen") -> None:
        """Adds all of another set."""
        self._raise_floor(max(self._floor, other._floor))
        for first, last in other.runs():
            self.claim(first, last)

    def runs(self) -> Iterable[Run]:
        """The runs above the floor."""
        for node, runs in self._runs.items():
            for first, last in runs:
                yield first << NODE_BITS | node, last << NODE_BITS | node

    def lowest(self) -> int:
        """An id below all that are in the set."""
        if self._floor:
            return 0
        return min((first for first, _ in self.runs()), default=1) - 1

    def _prune(self) -> None:
        ends = sorted(last for runs in self._runs.values() for _, last in runs)
        cut = self._newest - self._span
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
        """The set as a short text: `most` runs at most, and unless `exact` only such as a late commit may precede."""
        floor = self._floor if exact or not self._count else max(self._floor, self._newest - self._span)
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


def read_seen(text: str) -> Seen | None:
    """The set that `text` told; None for any other text."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    floor = int(match["floor"], 16)
    parts = match["runs"].split(".")[1:]
    seen = Seen(floor << NODE_BITS, keep=len(parts))
    for part in parts:
        node, first, last = (int(number, 16) for number in part.split("-"))
        if node > _NODE_MASK or not 0 < first <= last:
            return None
        seen.claim((floor + first) << NODE_BITS | node, (floor + last) << NODE_BITS | node)
    return seen
