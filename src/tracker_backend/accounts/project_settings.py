"""The settings of a project: who may send, how much is recorded, how long it is kept, what is masked.

The docstrings of the fields are tables of docs/reference/api.md (`make reference` writes them).
"""

import re
from functools import lru_cache
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct

from tracker_backend.errors import Invalid
from tracker_backend.validation_errors import explain

Pattern = Annotated[str, Meta(min_length=1, max_length=200)]


class Masking(Struct, frozen=True, forbid_unknown_fields=True):
    """What is masked in addition to what the browser marked and what looks like a secret."""

    inputs: Literal["all", "secrets"] = "all"
    """Which typed values are masked. `all`: those of every form field, unless the page (`data-unmask`) or `allow` keeps
    them. `secrets`: those of secret form fields.
    """
    fields: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    """Words in the name, id or class of a form field that make it secret, in addition to the server's own."""
    parameters: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    """Query parameters whose values are masked, in addition to the server's own."""
    allow: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    """Names or ids of form fields, and names of query parameters, that are stored although they are typed or look like
    secrets. What the browser marked stays masked.
    """


def relaxed(before: Masking, after: Masking) -> list[str]:
    """The names of the rules by which `after` lets more be stored than `before`."""
    names = ["inputs"] if after.inputs == "secrets" != before.inputs else []
    names += [name for name in ("fields", "parameters") if set(getattr(before, name)) - set(getattr(after, name))]
    return names + (["allow"] if set(after.allow) - set(before.allow) else [])


_HIGHEST_LIMIT = 1_000_000_000  # requests a minute


class ProjectSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a project. A new project has the defaults."""

    allowed_origins: Annotated[tuple[Pattern, ...], Meta(max_length=100)] = ()
    """Origins whose pages may send with the public key: `https://shop.example`, `https://*.shop.example` (all names
    below it, but not itself), `null` for pages without an origin. Empty: all. Pages of other origins get
    [403](errors.md#forbidden).
    """
    retention_days: Annotated[int, Meta(ge=1)] | None = None
    """Days after which rows are removed: more than `TRACKER_LATE_DAYS`, at most `TRACKER_RETENTION_DAYS`, which is also
    the default.
    """
    sampling_rate: Annotated[float, Meta(ge=0, le=1)] = 1.0
    """Share of sessions that is recorded."""
    record: bool = False
    """Whether the tag records replays by default."""
    masking: Masking = Masking()
    """What is masked in addition to what looks like a secret; see below."""
    limit_key: Annotated[int, Meta(ge=0, le=_HIGHEST_LIMIT)] | None = None
    """Requests per minute for each pair of key and address, instead of `TRACKER_LIMIT_KEY`. Only the operator may set
    more than that, or 0, which is no limit: by [`project set`](cli.md#tracker-backend-project-set).
    """
    limit_project: Annotated[int, Meta(ge=0, le=_HIGHEST_LIMIT)] | None = None
    """Requests per minute for the whole project, instead of `TRACKER_LIMIT_PROJECT`. The same rules apply."""


DEFAULT = ProjectSettings()
_decoder = msgspec.json.Decoder(ProjectSettings)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::[0-9]{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@lru_cache(maxsize=1024)
def read_settings(text: bytes) -> ProjectSettings:
    """Decode stored settings. Raises Invalid, with the place, if they are not valid."""
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise Invalid(f"these project settings are not valid: {explain(error, ProjectSettings)}.") from error


def change_settings(text: bytes, change: dict[str, Any], late_days: int, retention_days: int) -> bytes:
    """Apply a merge patch (RFC 7396: objects are merged, null restores the default) to stored settings; returns JSON.

    Raises Invalid for invalid settings, and for a retention that is not longer than `late_days` or longer than
    `retention_days` of the server.
    """
    merged = _merge(msgspec.json.decode(text), change)
    settings = read_settings(msgspec.json.encode(merged))
    if settings.allowed_origins:
        merged["allowed_origins"] = [_origin(entry) for entry in settings.allowed_origins]
    days = settings.retention_days
    if days is not None and days > retention_days:
        raise Invalid(
            f"`retention_days` is {days}, longer than the server keeps data: set it to {retention_days} or less,"
            f" or raise TRACKER_RETENTION_DAYS = {retention_days} first."
        )
    if days is not None and days <= late_days:
        raise Invalid(
            f"`retention_days` is {days}, but events arrive up to {late_days} days late (TRACKER_LATE_DAYS) and would"
            f" be removed on arrival: set it to {late_days + 1} or more."
        )
    return msgspec.json.encode(merged)


def _merge(target: Any, change: dict[str, Any]) -> dict[str, Any]:
    merged = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            merged[name] = _merge(merged.get(name), cast("dict[str, Any]", value))
        else:
            merged[name] = value
    return merged


def _origin(entry: str) -> str:
    """Return an origin as browsers send it: in lower case, without the default port of its scheme."""
    origin = entry.strip().lower()
    if origin == "null":  # sent by sandboxed frames and local files
        return origin
    if not _ORIGIN.fullmatch(origin):
        raise Invalid(
            f"`allowed_origins` holds {entry!r}: give a scheme and a host without a path, such as https://shop.example,"
            " https://*.shop.example or http://localhost:3000, or null. Write other alphabets as xn--…."
        )
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], " "))
