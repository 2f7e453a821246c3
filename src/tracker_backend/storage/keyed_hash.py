"""Marks: keyed hashes of the ids of sessions and users, which tell an erased one again and nobody else what it was."""

from hashlib import blake2b
from typing import Literal

Subject = Literal["user", "session"]


def mark(secret: bytes, project_id: int, subject: Subject, text: str) -> bytes:
    """The mark (32 bytes) of a user's id, or of a session's stored id as text, in a project of the installation whose
    secret this is.
    """
    return blake2b(f"{project_id} {subject} {text}".encode(errors="surrogatepass"), key=secret, digest_size=32).digest()
