"""Steps that drop a batch: for the visitor's privacy signal, and by the project's sampling."""

from hashlib import blake2b
from uuid import UUID

from tracker_backend.ingest.batch import Batch, Drop
from tracker_backend.settings import Settings


def drop_by_privacy_signal(batch: Batch, _settings: Settings) -> Batch | Drop:
    """Drops a batch whose visitor asks not to be recorded, where the server honours that."""
    return batch.privacy_signal or batch


def drop_unsampled(batch: Batch, _settings: Settings) -> Batch | Drop:
    """Drops a batch of a session that is not in the share that its project records."""
    is_kept = is_sampled(batch.project_id, batch.session_id, batch.project.sampling_rate)
    return batch if is_kept else Drop.SAMPLED


def is_sampled(project_id: int, session_id: UUID, rate: float) -> bool:
    """Whether a session is in the share (0 to 1) that its project records.

    The answer depends on project and session only: it is the same in each tab, dialect and day. A session of a smaller
    share is also in each larger one.
    """
    if rate >= 1:
        return True
    place = blake2b(session_id.bytes, key=project_id.to_bytes(8), digest_size=8).digest()
    return int.from_bytes(place) < rate * 2**64
