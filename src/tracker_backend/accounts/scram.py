"""SCRAM verifiers of passwords, so that no statement and no log of PostgreSQL contains a password."""

import hashlib
import hmac
import secrets
from base64 import b64encode

_ROUNDS = 4096  # PostgreSQL's default; more would not protect these random passwords better


def verifier(password: str) -> str:
    """Return the SCRAM-SHA-256 verifier of an ASCII password; `create role … password` accepts it as the password."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ROUNDS)
    client = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    texts = [b64encode(part).decode() for part in (salt, client, server)]
    return f"SCRAM-SHA-256${_ROUNDS}:{texts[0]}${texts[1]}:{texts[2]}"
