"""Reads objects in which a known field has a value of another type, so that one odd value does not cost a batch.

The strict decoder comes first and costs nothing more. Only what it refuses is read here, field by field: a value is
converted where that loses nothing (`5` to `"5"`, `"12"` to `12`); any other is left out, and returned as it was sent
for the JSON that is kept beside the fields. What a batch cannot be stored without is refused, with place and value.
"""

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, get_args

import msgspec
from msgspec import NODEFAULT, Raw, Struct, inspect

from tracker_backend.errors import Invalid
from tracker_backend.masking.patterns import MASK
from tracker_backend.metrics import ODD_VALUES

NEEDED = frozenset(
    "session_id batch_id project_id sdk_key events custom_events errors snapshots image_data data".split()  # noqa: SIM905
)
"""Fields that are never left out: what a batch is stored under, and its content. Nor are those that are required."""
_SHOWN = 100  # characters of a value in a message
_YES = (b"1", b'"1"', b'"true"', b'"yes"', b'"on"')
_NO = (b"0", b'"0"', b'"false"', b'"no"', b'"off"', b'""')

T = TypeVar("T", bound=Struct)
_any = msgspec.json.Decoder()
_fields = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


class _Field(Struct, frozen=True):
    name: str
    sent_as: str
    is_required: bool
    decoder: msgspec.json.Decoder[Any]
    converted: tuple[Callable[[bytes], bytes | None], ...]
    """What to try on a value that the decoder refuses: each returns another JSON text, or None."""
    nested: type[Struct] | None = None


def read_oddly(kind: type[T], text: bytes | Raw, place: str = "$") -> tuple[T, dict[str, Raw]]:
    """An object of `kind`, and the values that do not fit, by the names under which they were sent.

    Members that `kind` does not have are ignored. Raises Invalid with the place for what is no object, or lacks a
    field that it needs; the errors of msgspec for what is no JSON.
    """
    try:
        members = _fields.decode(text)
    except msgspec.ValidationError as error:
        raise Invalid(f"`{place}` is {_shown(text)}: {error}.") from error
    return read_members(kind, members, place)


def read_members(kind: type[T], members: Mapping[str, Raw], place: str) -> tuple[T, dict[str, Raw]]:
    """The same of an object's members."""
    values: dict[str, Any] = {}
    odd: dict[str, Raw] = {}
    for field in _fields_of(kind):
        raw = members.get(field.sent_as)
        if raw is None:
            if field.is_required:
                raise Invalid(f"Object missing required field `{field.sent_as}` - at `{place}`.")
            continue
        try:
            values[field.name] = field.decoder.decode(raw)
        except msgspec.ValidationError as error:
            value = _convert(field, raw, f"{place}.{field.sent_as}", odd)
            if value is not None:
                values[field.name] = value
            elif field.is_required or field.name in NEEDED:
                raise Invalid(_reason(f"{place}.{field.sent_as}", raw, error)) from error
            else:
                odd[field.sent_as] = raw
                ODD_VALUES.labels(field.name).inc()
    return kind(**values), odd


def _convert(field: _Field, raw: Raw, place: str, odd: dict[str, Raw]) -> Any:
    if field.nested is not None and bytes(raw).lstrip().startswith(b"{"):
        value, inner = read_oddly(field.nested, raw, place)
        if inner:
            odd[field.sent_as] = Raw(_encode(inner))
        return value
    text = bytes(raw).strip()
    for convert in field.converted:
        if (other := convert(text)) is not None:
            try:
                return field.decoder.decode(other)
            except msgspec.ValidationError:
                continue
    return None


@lru_cache(maxsize=64)
def _fields_of(kind: type[Struct]) -> tuple[_Field, ...]:
    return tuple(_field_of(field) for field in msgspec.structs.fields(kind))


def _field_of(field: msgspec.structs.FieldInfo) -> _Field:
    is_required = field.default is NODEFAULT and field.default_factory is NODEFAULT
    converted = tuple(_CONVERSIONS.get(field.name) or _conversions(inspect.type_info(field.type)))
    nested = next((it for it in get_args(field.type) if isinstance(it, type) and issubclass(it, Struct)), None)
    decoder = msgspec.json.Decoder(field.type)
    return _Field(field.name, field.encode_name, is_required, decoder, converted, nested)


def _conversions(found: inspect.Type) -> list[Callable[[bytes], bytes | None]]:
    """Those into the types of a field that are neither a time (a text or a number) nor anything."""
    if isinstance(found, inspect.Metadata):
        return _conversions(found.type)
    types = {type(it) for it in (found.types if isinstance(found, inspect.UnionType) else (found,))}
    types.discard(inspect.NoneType)
    return _BY_TYPE.get(frozenset(types), [])


def _to_text(text: bytes) -> bytes | None:
    return b'"%b"' % text if text[:1] in b"-0123456789tf" else None


def _to_whole(text: bytes) -> bytes | None:
    """A number, or a text that is one, as an integer."""
    try:
        value = _any.decode(text)
        number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else math.nan
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return None
    return str(round(number)).encode() if math.isfinite(number) else None


def _to_truth(text: bytes) -> bytes | None:
    return b"true" if text.lower() in _YES else b"false" if text.lower() in _NO else None


def _to_true(_text: bytes) -> bytes:
    """Who marks a value as secret in another way means it."""
    return b"true"


def _to_mask(text: bytes) -> bytes | None:
    """A typed value that is no text is not kept anywhere."""
    return b'"%b"' % MASK.encode() if text[:1] in b"[{" else None


_BY_TYPE: dict[frozenset[type[inspect.Type]], list[Callable[[bytes], bytes | None]]] = {
    frozenset({inspect.StrType}): [_to_text],
    frozenset({inspect.IntType}): [_to_whole],
    frozenset({inspect.BoolType}): [_to_truth],
}
_CONVERSIONS: dict[str, list[Callable[[bytes], bytes | None]]] = {
    "input_masked": [_to_truth, _to_true],
    "input_value": [_to_text, _to_mask],
    "key_pressed": [_to_text, _to_mask],
}


def _reason(place: str, raw: Raw, error: msgspec.ValidationError) -> str:
    text = str(error)
    if "at `$" in text:  # of something inside
        return text.replace("at `$", f"at `{place}") + "."
    return f"`{place}` is {_shown(raw)}: {text}."


def _shown(raw: bytes | Raw) -> str:
    text = bytes(raw).strip().decode(errors="replace")
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
