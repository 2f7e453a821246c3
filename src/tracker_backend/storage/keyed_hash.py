"""Keyed hashes of the ids of users and sessions: they recognize an erased id and do not reveal it."""

from hashlib import blake2b
from typing import Literal

Subject = Literal["user", "session"]


def keyed_hash(secret: bytes, project_id: int, subject: Subject, subject_id: str) -> bytes:
    """BLAKE2b (32 bytes) of a user's id, or of a session's stored id as text, in a project.

    The key is the secret of the installation, so that nobody without the database can test a guessed id.
    """
    text = f"{project_id} {subject} {subject_id}"
    return blake2b(text.encode(errors="surrogatepass"), key=secret, digest_size=32).digest()
