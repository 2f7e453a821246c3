"""The position of a stream of server-sent events: the text of `id:`, from which any process can resume the stream."""

from tracker_backend.live.id_set import IdSet, read_id_set

_RUNS = 128  # makes a text of at most 3 KB
_MAX_LENGTH = 8192


class StreamPosition:
    """What was sent (`done`) and the part that is being sent (`pending`): its events up to the id `event`, and the
    first `rrweb` of its rrweb events.
    """

    def __init__(self) -> None:
        self.done = IdSet()
        self.pending: IdSet | None = None
        self.event = 0
        self.rrweb = 0
        self._pending_text = ""

    def begin(self, pending: IdSet) -> None:
        """Begin a part. Its events are sent in the order of their ids, then its rrweb events in the order of replay."""
        self.resume(pending, 0, 0)

    def resume(self, pending: IdSet, event: int, rrweb: int) -> None:
        """Continue a part."""
        self.pending, self.event, self.rrweb = pending, event, rrweb
        self._pending_text = pending.text(_RUNS, exact=True)

    def finish(self) -> None:
        """End the part: all of it was sent."""
        if self.pending is not None:
            self.done.update(self.pending)
        self.pending = None

    def __str__(self) -> str:
        done = self.done.text(_RUNS)
        return done if self.pending is None else f"{done}~{self._pending_text}~{self.event:x}~{self.rrweb:x}"


def read_position(text: str | None) -> StreamPosition | None:
    """Return the position of a text; None if it is not one, so that the stream begins anew."""
    if not text or len(text) > _MAX_LENGTH:
        return None
    done, *rest = text.split("~")
    position = StreamPosition()
    done_ids = read_id_set(done)
    if done_ids is None:
        return None
    position.done = done_ids
    if not rest:
        return position
    try:
        pending, event, rrweb = rest
        part, numbers = read_id_set(pending), (int(event, 16), int(rrweb, 16))
    except ValueError:
        return None
    if part is None or min(numbers) < 0 or max(numbers) >= 1 << 53:
        return None
    position.resume(part, *numbers)
    return position
