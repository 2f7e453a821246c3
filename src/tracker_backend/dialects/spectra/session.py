"""The session that a request of `spectra` names: in its path, and perhaps once more in its body."""

from uuid import UUID

from tracker_backend.dialects.session_start import SPECTRA_TTL
from tracker_backend.errors import Invalid
from tracker_backend.http.ingest_request import IngestRequest
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.text_cleaning import clean_text


def session_of(received: IngestRequest, in_path: str, in_body: str | None) -> tuple[UUID, SessionFields]:
    """The session's stored id and what a request says of it; Invalid where path and body name two sessions."""
    project_id = received.caller.project_id
    session_id, text = session_key(project_id, clean_text(in_path))
    if in_body is not None and session_key(project_id, in_body)[0] != session_id:
        raise Invalid(f"`sessionId` is {in_body!r} in the body and {in_path!r} in the path: send one session's.")
    return session_id, SessionFields(client_session_id=text, ttl_hours=SPECTRA_TTL)
