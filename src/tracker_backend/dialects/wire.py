"""What the decoders of the dialects share: the errors of a body, and texts of a loose object."""

from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from tracker_backend.errors import Invalid, Malformed
from tracker_backend.ingest.clean import check_numbers
from tracker_backend.ingest.wire import MAX_METADATA

T = TypeVar("T")
_fields = msgspec.json.Decoder(dict[str, Raw])


def decode(decoder: msgspec.json.Decoder[T], text: bytes | Raw, place: str = "$") -> T:
    """The decoded JSON text; Malformed if it is none, Invalid with the place and the reason if it does not fit.

    `place` is where in the body the text stands.
    """
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        told = str(error)
        if place != "$":
            told = told.replace("`$", f"`{place}") if "`$" in told else f"{told} - at `{place}`"
        raise Invalid(f"{told}.") from error
    except RecursionError as error:
        raise Malformed("the body is nested too deeply to be read: send flatter JSON.") from error
    except msgspec.DecodeError as error:
        raise Malformed(f"the body is not JSON: {error}.") from error


def unknown_fields(kind: type[msgspec.Struct], text: bytes | Raw) -> dict[str, Raw]:
    """The members of an object that `kind` does not have."""
    known = set(kind.__struct_encode_fields__)
    return {name: value for name, value in decode(_fields, text).items() if name not in known}


def json_object(members: dict[str, Raw] | None, field: str) -> bytes | None:
    """The JSON text of an object as a session keeps it, None for an empty one; Invalid if it is too large."""
    if not members:
        return None
    text = msgspec.json.encode(members)
    if len(text) > MAX_METADATA:
        raise Invalid(f"`{field}` with all unknown fields has {len(text)} bytes, more than {MAX_METADATA}: send less.")
    check_numbers(text, field)
    return text


def text_of(value: Any, length: int | None = None) -> str | None:
    """A text out of a loose object, cut to a length; None for anything else and for an empty one."""
    return value[:length] if isinstance(value, str) and value else None


def refusal(text: str) -> dict[str, object]:
    """An error in the shape of clients that look at `success`."""
    return {"success": False, "error": text}


def error_text(text: str) -> dict[str, object]:
    """An error in the shape of clients that look at `error` only."""
    return {"error": text}
