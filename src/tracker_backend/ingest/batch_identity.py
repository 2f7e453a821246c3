"""What a batch is recognized by: its identity, and for a batch with a name also a digest of its content."""

import os
from functools import lru_cache
from hashlib import blake2b, sha256
from uuid import UUID

import msgspec

from tracker_backend import __version__
from tracker_backend.accounts.project_settings import Masking
from tracker_backend.ingest.batch import Batch

_PART = 8  # bytes: a digest is compared with that of one other batch, not searched for
_encode = msgspec.json.Encoder().encode


def identity_of(batch: Batch) -> UUID | None:
    """The identity of a masked batch within its session: its kind and the client's name for it, or else its content.

    `sent_at` is not part of it: it changes with each attempt. None for a session start, which may be repeated.
    """
    if batch.image is not None:
        content = b"i" + batch.image.sha256 + _encode((batch.times, batch.image.page_url))
    elif not batch.events and batch.recording is None:
        if batch.ended_at is None and not batch.times:
            return None
        # With a time it is placed by the session's clock, which needs an identity.
        content = b"s" + _encode((batch.times, batch.ended_at, batch.client_stats, batch.session))
    elif batch.name is not None:
        content = (b"n" if batch.recording is None else b"m") + batch.name.encode()
    elif batch.recording is not None:
        content = b"r" + batch.recording.digest + _encode(batch.events)
    else:
        content = b"e" + _encode(batch.events)
    return _hash(content)


def former_identity_of(batch: Batch) -> UUID | None:
    """Under which a named recording was stored before migration 0011, when kinds shared their names."""
    if batch.name is None or batch.recording is None:
        return None
    return _hash(b"n" + batch.name.encode())


def digest_of(batch: Batch) -> bytes:
    """A digest of a masked batch's content: 24 bytes, for `is_repeat`.

    Three parts: the times and numbers of events, which masking never changes; the rules by which the batch was masked;
    and the masked content. Secrets are masked before, because a digest can reveal a short one by trial. So the third
    part is another one when the rules have changed between two attempts; then the first decides.
    """
    fixed, content = _encode(batch.times), _encode(batch.events)
    if (recording := batch.recording) is not None:
        fixed += _encode((recording.count, recording.client_first, recording.client_last))
        content += recording.digest
    # How far an attempt gets with its budget depends on the caches of masking.
    rules = os.urandom(_PART) if batch.is_unsearched else _rules_part(batch.project.masking)
    return _part(fixed) + rules + _part(content)


def is_repeat(stored: bytes | None, sent: bytes | None) -> bool:
    """Whether two batches of one identity have the same content, by their digests.

    A batch without a digest has no name, or was stored before digests were: then the identity alone decides.
    """
    if stored is None or sent is None or stored == sent:
        return True
    is_masked_otherwise = stored[_PART : 2 * _PART] != sent[_PART : 2 * _PART]
    return is_masked_otherwise and stored[:_PART] == sent[:_PART]


def _part(content: bytes) -> bytes:
    return sha256(content).digest()[:_PART]  # half the time of blake2b where the processor computes it


@lru_cache(maxsize=256)
def _rules_part(masking: Masking) -> bytes:
    return _part(_encode((__version__, masking)))


def _hash(content: bytes) -> UUID:
    return UUID(bytes=blake2b(content, digest_size=16).digest())
