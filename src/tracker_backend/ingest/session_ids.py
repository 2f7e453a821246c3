"""The stored id of a session, from the text by which its client names it."""

from uuid import UUID, uuid5

from tracker_backend.errors import Invalid

MAX_ID_LENGTH = 200


def session_key(project_id: int, text: str) -> tuple[UUID, str | None]:
    """The stored id of the session that a client names `text`, and the text itself where it differs from that id.

    A text that is a UUID is the stored id. Any other text is hashed with the project's id (UUID version 5), so that no
    look-up is needed and two projects never share an id. Raises Invalid for an empty text and for one of more than 200
    characters.
    """
    if not 0 < len(text) <= MAX_ID_LENGTH:
        raise Invalid(f"the session's id has {len(text)} characters: send 1 to {MAX_ID_LENGTH}.")
    try:
        session_id = UUID(text)
    except ValueError:
        return uuid5(UUID(int=project_id), text), text
    return session_id, None if text == str(session_id) else text
