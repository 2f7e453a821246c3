"""A password as PostgreSQL stores it, so that no statement and no log of the database server holds it."""

import hashlib
import hmac
import secrets
from base64 import b64encode

_ROUNDS = 4096  # PostgreSQL's own; these passwords are random, so that more would protect nothing


def verifier(password: str) -> str:
    """What `create role … password` takes in place of a password of ASCII characters: its SCRAM-SHA-256 verifier."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ROUNDS)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    texts = [b64encode(part).decode() for part in (salt, client, server)]
    return f"SCRAM-SHA-256${_ROUNDS}:{texts[0]}${texts[1]}:{texts[2]}"
