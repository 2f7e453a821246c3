"""Passwords: which are taken, and their argon2id hashes."""

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from tracker_backend.errors import Invalid, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
SHORTEST, LONGEST = 10, 256
_MOST_WAITING = 100  # of 0.1 s each: who comes later would wait longer than a request may take
_hasher = PasswordHasher()  # the low-memory choice of RFC 9106: 64 MiB, three passes, four lanes
_thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")  # one at a time: the 64 MiB are of the process once
_waiting = 0


def check_new(password: str, email: str) -> None:
    """Invalid, with what to do, for a password that is too short, too long, or the e-mail itself."""
    length = len(_normal(password))
    if length < SHORTEST:
        raise Invalid(f"the password has {length} characters: take {SHORTEST} or more, such as a few words.")
    if length > LONGEST:
        raise Invalid(f"the password has {length} characters, more than {LONGEST}: take a shorter one.")
    if _normal(password).strip().lower() == email:
        raise Invalid("the password is the e-mail: take another one.")


async def make_hash(password: str) -> str:
    """What is stored of a password; Unavailable while too many wait."""
    return await _in_turn(_hasher.hash, _normal(password))


async def fits(stored: str | None, password: str) -> bool:
    """Whether this is the password of a stored hash. Without one (there is no such account) it takes the same work
    to say no. Unavailable while too many wait.
    """
    return await _in_turn(_verify, stored or _nobodys(), _normal(password)) and stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _hasher.check_needs_rehash(stored)


def _normal(password: str) -> str:
    """The same bytes for the same letters, however a keyboard composes them (NFC, RFC 8265 4.2)."""
    return unicodedata.normalize("NFC", password)


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except VerifyMismatchError:
        return False


def _nobodys() -> str:
    """A hash of today's parameters that no password is known to have."""
    sizes = (_hasher.salt_len, _hasher.hash_len)
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in sizes)
    costs = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


async def _in_turn(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    global _waiting  # noqa: PLW0603 — of this process, like the thread
    if _waiting >= _MOST_WAITING:
        raise Unavailable("too many passwords are being checked: try again.")
    _waiting += 1
    try:
        return await asyncio.wrap_future(_thread.submit(function, *arguments, **named))
    finally:
        _waiting -= 1
