"""Where a stream of server-sent events is: the text of `id:`, from which another process can go on."""

from tracker_backend.live.seen import Seen, read_seen

_RUNS = 128  # in a text of 3 KB at most
_LENGTH = 8192


class Cursor:
    """What was given (`done`), and how far the part is that is being given (`pending`): its events up to the id
    `event`, and so many of its rrweb events.
    """

    def __init__(self) -> None:
        self.done = Seen()
        self.pending: Seen | None = None
        self.event = 0
        self.rrweb = 0
        self._pending_text = ""

    def begin(self, pending: Seen) -> None:
        """A part begins: its events come in the order of their ids, then its rrweb events in the order of replay."""
        self.resume(pending, 0, 0)

    def resume(self, pending: Seen, event: int, rrweb: int) -> None:
        """A part is gone on with."""
        self.pending, self.event, self.rrweb = pending, event, rrweb
        self._pending_text = pending.text(_RUNS, exact=True)

    def finish(self) -> None:
        """The part is given."""
        if self.pending is not None:
            self.done.update(self.pending)
        self.pending = None

    def __str__(self) -> str:
        done = self.done.text(_RUNS)
        return done if self.pending is None else f"{done}~{self._pending_text}~{self.event:x}~{self.rrweb:x}"


def read_cursor(text: str | None) -> Cursor | None:
    """The cursor of a text; None for a text that is none: what is stored is given from its beginning then."""
    if not text or len(text) > _LENGTH:
        return None
    done, *rest = text.split("~")
    cursor = Cursor()
    seen = read_seen(done)
    if seen is None:
        return None
    cursor.done = seen
    if not rest:
        return cursor
    try:
        pending, event, rrweb = rest
        part, numbers = read_seen(pending), (int(event, 16), int(rrweb, 16))
    except ValueError:
        return None
    if part is None or min(numbers) < 0 or max(numbers) >= 1 << 53:
        return None
    cursor.resume(part, *numbers)
    return cursor
