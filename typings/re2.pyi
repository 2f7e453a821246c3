"""The part of google-re2 that ingest/hints.py uses; the package has no types."""

from enum import Enum

class Options:
    class Encoding(Enum):
        LATIN1 = ...

    encoding: Encoding
    case_sensitive: bool
    never_capture: bool
    max_mem: int

class Match:
    def end(self) -> int: ...

class Regexp:
    def search(self, text: bytes, pos: int = 0) -> Match | None: ...

def compile(pattern: bytes, options: Options) -> Regexp: ...  # noqa: A001 — its own name
def escape(pattern: bytes) -> bytes: ...
