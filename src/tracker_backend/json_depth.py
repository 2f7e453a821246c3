"""How deeply JSON may be nested, the same in the event loop and in threads.

A browser builds a page of any depth (its parser up to 512 elements), and rrweb's snapshot nests two levels for each.
msgspec decodes by recursion. Python 3.11 lets it have 1,000 levels less the calls under way, and a thread has fewer
calls under way than the event loop: what one took, the other could not read. So the limit is raised for all, and what
is stored has far fewer levels than any reader can read. Python 3.12 and later count C's levels on their own, to 10,000.
"""

import re
import sys
import threading
from itertools import accumulate

import msgspec
from msgspec import Raw

MAX_DATA_DEPTH = 900
"""Levels of an event's data and a session's metadata: Python's and other JSON readers have a limit of 1,000."""
_LEVELS = 4000
_ROOM = 1500  # levels that a reader has more than the door: for the calls under way, and the arrays around an event
_STACK = 16 * 1024 * 1024  # bytes of a thread's, which takes some 500 a level; musl gives 128 KiB

sys.setrecursionlimit(max(sys.getrecursionlimit(), _LEVELS))
threading.stack_size(_STACK)

_NO_BRACKET = re.compile(rb'[^\[\]{}"]++|"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_STEP = [1 if byte in b"[{" else -1 if byte in b"]}" else 0 for byte in range(256)]
_skip = msgspec.json.Decoder(Raw).decode


def is_deeper(text: bytes | Raw, levels: int) -> bool:
    """Whether a JSON text is nested deeper than this. Most have so few brackets that they are only counted."""
    text = bytes(text)
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    return max(accumulate(map(_STEP.__getitem__, _NO_BRACKET.sub(b"", text))), default=0) > levels


def has_room(text: bytes) -> bool:
    """Whether every reader can decode these JSON values, joined by commas, wherever it runs; True for what is not JSON.

    At least 2,000 levels are read everywhere: 1,000 nested elements.
    """
    try:
        _skip(b"[" * _ROOM + text + b"]" * _ROOM)
    except RecursionError:
        return False
    except msgspec.MsgspecError:
        pass
    return True
