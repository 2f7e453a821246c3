"""Files to import: JSON or NDJSON, gzipped or not; and errors with their place in the file."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from tracker_backend.errors import Invalid
from tracker_backend.importing.elements import Element, Kind, read_elements
from tracker_backend.json_scanner import Scanner, UnreadableError

ELEMENT_BYTES = 24 * 1024 * 1024
"""Maximum size of an element: a screenshot of 10 MiB is 14 MB as a `data:` URL. rrweb events have a lower limit."""
_GZIP_MAGIC = b"\x1f\x8b"
_CHUNK = 1024 * 1024

OnProgress = Callable[[int], None]
"""Called with the number of bytes that were read from the file on the disk."""


def read_file(path: Path, on_progress: OnProgress) -> Iterator[Element]:
    """Yield the elements of a file. Raises Invalid, with the place, for a file that cannot be read."""
    try:
        with path.open("rb") as raw:
            source = _unpacked(raw)

            def take(size: int) -> bytes:
                before = raw.tell()
                text = source.read(size)
                on_progress(raw.tell() - before)
                return text

            yield from read_elements(Scanner(take, ELEMENT_BYTES))
    except UnreadableError as error:
        raise invalid_at(path, error.at, error.what) from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise Invalid(f"{path} is broken gzip, or incomplete: {error}.") from error
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.") from error


def invalid_at(path: Path, at: int, problem: str) -> Invalid:
    """Return the error for a problem at a byte of the uncompressed file, with line and byte."""
    line, left = 1, at
    with path.open("rb") as raw:
        source = _unpacked(raw)
        while left > 0 and (text := source.read(min(left, _CHUNK))):
            line += text.count(b"\n")
            left -= len(text)
    return Invalid(f"{path}, line {line}, byte {at + 1}: {problem}.")


def by_session(elements: Iterator[Element]) -> Iterator[tuple[int, Element]]:
    """Yield each element with the number of its session in the file. Elements outside sessions are one session."""
    count = 0
    current: int | None = None
    bare: int | None = None
    for element in elements:
        if element.kind is Kind.BEGIN:
            current, count = count, count + 1
        elif element.kind is Kind.END:
            current = None
            continue
        elif current is None and bare is None:
            bare, count = count, count + 1
        number = bare if current is None else current
        assert number is not None  # noqa: S101 — one of the two was just given
        yield number, element


def _unpacked(raw: BinaryIO) -> BinaryIO:
    """Return a file's content, without gzip where the file is gzipped."""
    is_packed = raw.read(2) == _GZIP_MAGIC
    raw.seek(0)
    return cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_packed else raw
