"""What a project decides about its data: who may send, how much of it is kept and for how long, what is masked."""

from functools import lru_cache
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tracker_backend.errors import Invalid

Pattern = Annotated[str, Meta(min_length=1, max_length=200)]


class Masking(Struct, frozen=True, forbid_unknown_fields=True):
    """What is masked beside what the browser marked and what looks like a secret."""

    inputs: Literal["secrets", "all"] = "secrets"
    """`all`: no typed value is stored at all."""
    fields: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    """Words in a field's name, id or class that make it a secret one, beside those known to the server."""
    parameters: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    """Names of query parameters whose values are masked, beside those known to the server."""
    allow: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    """Fields' names or ids, and names of query parameters, that are stored although they look like secrets. What the
    browser marked stays masked.
    """


class ProjectSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a project; the defaults are those of one that nobody has changed."""

    allowed_origins: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    """Pages of which origins may send with the public key: `https://a.example`, `https://*.a.example`; none: all."""
    retention_days: Annotated[int, Meta(ge=1)] | None = None
    """Rows are removed after so many days, if that is sooner than the server's own retention."""
    sampling_rate: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """The share of sessions that is recorded."""
    record: bool = False
    """Whether the tag records pages by itself, without being told to."""
    masking: Masking = Masking()
    limit_key: Annotated[int, Meta(ge=0)] | None = None
    """Requests a minute for each key and address, in place of TRACKER_LIMIT_KEY; 0 is off."""
    limit_project: Annotated[int, Meta(ge=0)] | None = None
    """Requests a minute for the whole project, in place of TRACKER_LIMIT_PROJECT; 0 is off."""


DEFAULT = ProjectSettings()
_decoder = msgspec.json.Decoder(ProjectSettings)


@lru_cache(maxsize=1024)
def read_settings(text: bytes) -> ProjectSettings:
    """Settings from their stored JSON; Invalid with the place for what does not fit."""
    try:
        return _decoder.decode(text)
    except msgspec.MsgspecError as error:
        raise Invalid(f"these settings of a project do not fit: {error}.") from error
