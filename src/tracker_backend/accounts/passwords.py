"""Passwords: which are accepted, and their argon2id hashes."""

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
MIN_LENGTH, MAX_LENGTH = 10, 256
_MAX_WAITING = 100  # at 0.1 s each, a later one would wait longer than the request time-out
_hasher = PasswordHasher()  # the second recommended option of RFC 9106: 64 MiB, 3 passes, 4 lanes
_thread = ThreadPoolExecutor(
    1, thread_name_prefix="passwords"
)  # one at a time, so that a process needs the 64 MiB once
_waiting = 0


def check_new_password(password: str, email: str) -> None:
    """Raise Invalid for a password that is too short, too long, or the e-mail itself."""
    length = len(_normalize(password))
    if length < MIN_LENGTH:
        raise Invalid(f"the password has {length} characters: use {MIN_LENGTH} or more, such as a few words.")
    if length > MAX_LENGTH:
        raise Invalid(f"the password has {length} characters, more than {MAX_LENGTH}: use a shorter one.")
    if _normalize(password).strip().lower() == email:
        raise Invalid("the password is the e-mail: use another one.")


async def make_hash(password: str) -> str:
    """Return the hash of a password. Raises Unavailable if too many requests wait."""
    return await _run_in_thread(_hasher.hash, _normalize(password))


async def verify(stored: str | None, password: str) -> bool:
    """Return whether a password matches a stored hash. Raises Unavailable if too many requests wait.

    If `stored` is None (there is no such account), the same work is done, so that the time does not tell.
    """
    return await _run_in_thread(_verify, stored or _dummy_hash(), _normalize(password)) and stored is not None


def needs_rehash(stored: str) -> bool:
    """Return whether a hash was made with other parameters than the current ones."""
    return _hasher.check_needs_rehash(stored)


def _normalize(password: str) -> str:
    """Return the same characters however a keyboard composes them (NFC, RFC 8265 4.2)."""
    return unicodedata.normalize("NFC", password)


def _verify(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except VerifyMismatchError:
        return False


def _dummy_hash() -> str:
    """Return a hash with the current parameters that belongs to no known password."""
    sizes = (_hasher.salt_len, _hasher.hash_len)
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in sizes)
    costs = f"m={_hasher.memory_cost},t={_hasher.time_cost},p={_hasher.parallelism}"
    return f"$argon2id$v=19${costs}${salt}${digest}"


async def _run_in_thread(function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    global _waiting  # noqa: PLW0603 — of this process, like the thread
    if _waiting >= _MAX_WAITING:
        raise Unavailable("too many passwords are being checked: try again.")
    _waiting += 1
    try:
        return await asyncio.wrap_future(_thread.submit(function, *arguments, **named))
    finally:
        _waiting -= 1
