"""Files to import: JSON or NDJSON, plain or gzip, and where in them something is wrong."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from tracker_backend.errors import Invalid
from tracker_backend.importing.items import Item, read_items
from tracker_backend.json_scanner import Scanner, UnreadableError

ELEMENT_BYTES = 24 * 1024 * 1024
"""The largest element: a screenshot of 10 MiB is 14 MB as a `data:` URL. For rrweb events there is a limit below."""
_GZIP_MAGIC = b"\x1f\x8b"
_NEWLINES = 1024 * 1024

Told = Callable[[int], None]
"""Called with the number of bytes that were read of the file as it lies on the disk."""


def read_file(path: Path, told: Told) -> Iterator[Item]:
    """The items of a file; Invalid with the place for one that cannot be read to its end."""
    try:
        with path.open("rb") as raw:
            is_packed = raw.read(2) == _GZIP_MAGIC
            raw.seek(0)
            source = gzip.GzipFile(fileobj=raw) if is_packed else raw

            def take(size: int) -> bytes:
                before = raw.tell()
                text = source.read(size)
                told(raw.tell() - before)
                return text

            yield from read_items(Scanner(take, ELEMENT_BYTES))
    except UnreadableError as error:
        raise refuse(path, error.at, error.what) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Invalid(f"{path} is broken gzip, or not all of it: {error}.") from error
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error


def refuse(path: Path, at: int, what: str) -> Invalid:
    """The error for what stands at a byte of a file (of what it inflates to)."""
    line, left = 1, at
    with path.open("rb") as raw:
        is_packed = raw.read(2) == _GZIP_MAGIC
        raw.seek(0)
        source = gzip.GzipFile(fileobj=raw) if is_packed else raw
        while left > 0 and (text := source.read(min(left, _NEWLINES))):
            line += text.count(b"\n")
            left -= len(text)
    return Invalid(f"{path}, line {line}, byte {at + 1}: {what}.")


def by_session(items: Iterator[Item]) -> Iterator[tuple[int, Item]]:
    """Each item with the number of its session in the file; what stands in no session is one of its own."""
    count = 0
    current: int | None = None
    bare: int | None = None
    for item in items:
        if item.kind.value == "begin":
            current, count = count, count + 1
        elif item.kind.value == "end":
            current = None
            continue
        elif current is None and bare is None:
            bare, count = count, count + 1
        number = bare if current is None else current
        assert number is not None  # noqa: S101 — one of the two was just given
        yield number, item
