"""The set of ids that a subscriber has, and the text that tells where a stream is."""

from hypothesis import given
from hypothesis import strategies as st

from tracker_backend.live.id_set import OVERLAP_MS, IdSet, lowest_id_at, read_id_set
from tracker_backend.live.stream_position import StreamPosition, read_position
from tracker_backend.storage.nodes import NODE_BITS, PER_MS

NOW = 1_790_000_000_000

batch = st.tuples(st.integers(1, 400), st.integers(1, 9), st.integers(0, 2))


def ids(first: int, count: int, node: int) -> list[int]:
    """Ids that one process gives in one go."""
    begin = lowest_id_at(NOW) + (first << NODE_BITS)
    return [begin + (number << NODE_BITS) + node for number in range(count)]


@given(st.lists(batch, max_size=60))
def test_it_is_a_set_and_tells_what_was_new(batches: list[tuple[int, int, int]]) -> None:
    seen, model = IdSet(keep=1000), set[int]()
    for each in batches:
        given_ids = ids(*each)
        new = seen.claim(given_ids[0], given_ids[-1])
        told = {number for first, last in new for number in range(first, last + 1, 1 << NODE_BITS)}
        assert told == set(given_ids) - model
        model |= told
    every = {number for first in range(1, 410) for node in range(3) for number in ids(first, 1, node)}
    assert {number for number in every if number in seen} == model
    assert all(number > seen.lowest() for number in model)


@given(st.lists(batch, max_size=60))
def test_its_text_gives_the_same_set(batches: list[tuple[int, int, int]]) -> None:
    seen = IdSet(lowest_id_at(NOW - OVERLAP_MS), keep=1000)
    for each in batches:
        given_ids = ids(*each)
        seen.claim(given_ids[0], given_ids[-1])
    read = read_id_set(seen.text(1000, exact=True))
    assert read is not None
    assert (sorted(read.runs()), read.floor) == (sorted(seen.runs()), seen.floor)


@given(st.lists(batch, max_size=60), st.lists(batch, max_size=60))
def test_one_takes_up_another(ours: list[tuple[int, int, int]], others: list[tuple[int, int, int]]) -> None:
    one, other, both = IdSet(keep=1000), IdSet(keep=1000), IdSet(keep=1000)
    for seen, batches in ((one, ours), (other, others)):
        for each in batches:
            given_ids = ids(*each)
            seen.claim(given_ids[0], given_ids[-1])
            both.claim(given_ids[0], given_ids[-1])
    one.update(other)
    assert sorted(one.runs()) == sorted(both.runs())


def test_it_stays_small_and_takes_what_is_old_for_known() -> None:
    seen = IdSet(keep=10, overlaps=2)
    minute = 60_000 * PER_MS << NODE_BITS
    for number in range(10_000):
        assert seen.add(lowest_id_at(NOW) + number * minute)
    assert len(list(seen.runs())) < 40
    assert lowest_id_at(NOW) + 5000 * minute + 64 in seen
    assert lowest_id_at(NOW) + 9_999 * minute + 64 not in seen
    assert len(seen.text(100)) < 100


def test_a_cursor_survives_its_text() -> None:
    cursor = StreamPosition()
    cursor.done.claim(ids(1, 5, 1)[0], ids(1, 5, 1)[-1])
    read = read_position(str(cursor))
    assert read is not None
    assert str(read) == str(cursor)
    pending = IdSet()
    pending.add(ids(9, 1, 1)[0])
    cursor.resume(pending, 17, 4)
    read = read_position(str(cursor))
    assert read is not None
    assert (str(read), read.event, read.rrweb) == (str(cursor), 17, 4)
    cursor.finish()
    assert ids(9, 1, 1)[0] in cursor.done
    assert ids(2, 1, 1)[0] in cursor.done


@given(st.text(st.sampled_from("0123456789abcdef.-~xg "), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    cursor = read_position(text)
    assert cursor is None or read_position(str(cursor)) is not None
