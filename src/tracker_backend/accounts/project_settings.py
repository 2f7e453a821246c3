"""What a project decides about its data: who may send, how much of it is kept and for how long, what is masked."""

import re
from functools import lru_cache
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct

from tracker_backend.errors import Invalid
from tracker_backend.validation_errors import told

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


MOST = 1_000_000_000
"""Requests a minute; beyond it a limit is none."""


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
    limit_key: Annotated[int, Meta(ge=0, le=MOST)] | None = None
    """Requests a minute for each key and address, in place of TRACKER_LIMIT_KEY; 0 is off."""
    limit_project: Annotated[int, Meta(ge=0, le=MOST)] | None = None
    """Requests a minute for the whole project, in place of TRACKER_LIMIT_PROJECT; 0 is off."""


DEFAULT = ProjectSettings()
_decoder = msgspec.json.Decoder(ProjectSettings)
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)(?::[0-9]{1,5})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@lru_cache(maxsize=1024)
def read_settings(text: bytes) -> ProjectSettings:
    """Settings from their stored JSON; Invalid with the place for what does not fit."""
    try:
        return _decoder.decode(text)
    except msgspec.DecodeError as error:
        raise Invalid(f"these settings of a project do not fit: {told(error, ProjectSettings)}.") from error


def change_settings(text: bytes, change: dict[str, Any], late_days: int, retention_days: int) -> bytes:
    """Stored settings with a change (RFC 7396: objects are merged, null means the default again), as JSON.

    Invalid for what does not fit, and for a retention that ends within the days that events may be late, or goes on
    after the server's own.
    """
    merged = _merge(msgspec.json.decode(text), change)
    settings = read_settings(msgspec.json.encode(merged))
    if settings.allowed_origins:
        merged["allowed_origins"] = [_origin(entry) for entry in settings.allowed_origins]
    days = settings.retention_days
    if days is not None and days > retention_days:
        raise Invalid(
            f"`retention_days` is {days}, longer than the server keeps any project: set it to {retention_days} or less,"
            f" or have TRACKER_RETENTION_DAYS = {retention_days} raised first."
        )
    if days is not None and days <= late_days:
        raise Invalid(
            f"`retention_days` is {days}, but events arrive up to {late_days} days late (TRACKER_LATE_DAYS) and would"
            f" be removed as they come: set it to {late_days + 1} or more."
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
    """An allowed origin as browsers write theirs: in lower case, without the scheme's own port."""
    origin = entry.strip().lower()
    if origin == "null":  # what sandboxed frames and local files send
        return origin
    if not _ORIGIN.fullmatch(origin):
        raise Invalid(
            f"`allowed_origins` holds {entry!r}: write a scheme and a host, without a path, such as"
            " https://shop.example, https://*.shop.example or http://localhost:3000; other alphabets as xn--…; or null."
        )
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition("://")[0], " "))
