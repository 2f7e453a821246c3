"""What an event's data says of typing: the field, its values, the keys."""

import re
from collections.abc import Collection, Iterator
from typing import Any, cast

from tracker_backend.masking.form_fields import More
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.selectors import without_typed, without_values

NAMED_KEY = re.compile(r"[A-Z][A-Za-z0-9]{1,30}\Z")
"""Enter, ArrowUp, F5: UI Events calls them named key attribute values."""
CHAR = "char"
"""In place of a printing key."""
TYPING = frozenset(
    (
        *("input", "change", "blur", "focusout", "keydown", "keyup", "keypress", "key", "keyboard", "beforeinput"),
        *("paste", "textinput", "text_input", "typing", "autofill"),
        *("compositionstart", "compositionupdate", "compositionend"),
    )
)
"""Types of events, in lower case, that may hold typed values."""

_VALUES = ("value", "text", "data", "content", "input", "newvalue", "oldvalue", "inputvalue", "input_value", "typed")
_LENGTHS = ("count", "length", "value_length", "valuelength", "selectionstart", "selectionend", "chars", "keystrokes")
_FIELD_ATTRIBUTES = (
    "name",
    "id",
    "type",
    "placeholder",
    "autocomplete",
    "inputmode",
    "aria-label",
    "label",
    "field",
    "class",
)
_ALIASES = {"fieldname": "name", "field_name": "name", "input_type": "type", "arialabel": "aria-label"}
_KEYS = ("key", "char", "keyidentifier")
_CODES = ("code", "keycode", "charcode", "which", "key_code", "char_code")
_MANY_KEYS = ("keys", "characters")
_NAMED_CODE = re.compile(
    r"(?:Numpad)?Enter|Tab|Escape|Backspace|Delete|Insert|Home|End|PageUp|PageDown|Arrow\w{2,5}|F\d{1,2}|CapsLock"
    r"|(?:Shift|Control|Alt|Meta)(?:Left|Right)"
)
_NAMED_CODES = frozenset({8, 9, 13, 16, 17, 18, 19, 20, 27, *range(33, 41), 45, 46, 91, 92, 93, *range(112, 124)})


def field_attributes(data: dict[str, Any]) -> More:
    """The attributes of the field that the data names."""
    attributes = {
        _ALIASES.get(name.lower(), name.lower()): value
        for each in _objects(data)
        for name, value in each.items()
        if isinstance(value, str) and value
    }
    return tuple(
        sorted((name, value) for name, value in attributes.items() if name in (*_FIELD_ATTRIBUTES, "selector"))
    )


def is_marked(data: dict[str, Any]) -> bool:
    """The browser says that the value is secret."""
    return any(each.get(name) is True for each in _objects(data) for name in ("masked", "input_masked", "isMasked"))


def is_unmasked(data: dict[str, Any]) -> bool:
    """The page wants the value to be stored."""
    return any(each.get("input_masked") is False for each in _objects(data))


def values(data: dict[str, Any]) -> list[str]:
    """What was typed."""
    return [str(each[name]) for each, name in _members(data, _VALUES) if isinstance(each[name], str | int)]


def hide_values(data: dict[str, Any], *, numbers: bool = True) -> bool:
    """Masks what was typed and drops how long it was; whether anything was changed. Without `numbers`, numbers stay:
    those of an event that is no typing are measured, such as a web vital.
    """
    is_changed = False
    for each, name in list(_members(data, _VALUES)):
        is_kept = isinstance(each[name], bool | dict) or (not numbers and isinstance(each[name], int | float))
        if each[name] not in (None, "", MASK) and not is_kept:
            each[name] = MASK
            is_changed = True
    for each, name in list(_members(data, _LENGTHS)):
        del each[name]
        is_changed = True
    return is_changed


def hide_in_selectors(data: dict[str, Any], typed: Collection[str]) -> bool:
    """Masks what was typed in the selectors that the data names; whether anything was changed."""
    is_changed = False
    for each, name in list(_members(data, ("selector",))):
        selector = each[name]
        if isinstance(selector, str) and (masked := without_typed(without_values(selector), typed)) != selector:
            each[name] = masked
            is_changed = True
    return is_changed


def drop_keys(data: dict[str, Any]) -> bool:
    """Makes printing keys `char`; whether anything was changed."""
    is_changed = False
    for each in _objects(data):
        names = {name.lower(): name for name in each}
        printed = [names[name] for name in _KEYS if name in names and not _is_named(each[names[name]])]
        for name in printed:
            is_changed |= each[name] != CHAR
            each[name] = CHAR
        for name in (names[name] for name in _CODES if name in names):
            if printed or not _is_named_code(each[name]):
                del each[name]
                is_changed = True
        for name in (names[name] for name in _MANY_KEYS if name in names):
            is_changed |= each[name] != MASK
            each[name] = MASK
        if "inputType" in each and each.get("data") not in (None, MASK):
            each["data"] = MASK
            is_changed = True
    return is_changed


def _is_named(key: object) -> bool:
    return isinstance(key, str) and NAMED_KEY.match(key) is not None


def _is_named_code(code: object) -> bool:
    if isinstance(code, str):
        return _NAMED_CODE.fullmatch(code) is not None
    return code in _NAMED_CODES


def _members(data: dict[str, Any], wanted: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], str]]:
    return ((each, name) for each in _objects(data) for name in each if name.lower() in wanted)


def _objects(data: dict[str, Any]) -> list[dict[str, Any]]:
    """The object and its member objects: `{"target": {"name": …}, "value": …}`."""
    return [data, *(cast("dict[str, Any]", value) for value in data.values() if isinstance(value, dict))]
