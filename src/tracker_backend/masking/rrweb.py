"""Masks rrweb events: typed values, texts of the page, URLs, what plugins and the application add.

Only events that may hold something are decoded, and only those that did are encoded again: all others stay as they
came, byte for byte.
"""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, cast

import msgspec
from msgspec import Raw, Struct

from tracker_backend.masking import input_events
from tracker_backend.masking.budget import BudgetSpentError
from tracker_backend.masking.html_attributes import mask_attributes, may_name_secret
from tracker_backend.masking.html_fields import CHOSEN_TYPES, is_secret_input
from tracker_backend.masking.json_values import CLOSED, UNREADABLE, decode, encode
from tracker_backend.masking.patterns import MASK, is_secret_value, may_become_secret
from tracker_backend.masking.rrweb_editors import mask_editors
from tracker_backend.masking.rrweb_prefilter import FIELD_ATTRIBUTES, FORM, LEFT_ALONE, RrwebPrefilter, prefilter_batch
from tracker_backend.masking.rules import Rules

_PAGE = _FULL_SNAPSHOT, _INCREMENTAL = 2, 3
_INPUT = 5
_DESCRIBING = FIELD_ATTRIBUTES - {"value"}
_UNMASKED = "data-unmask"
"""The tag writes it into the fields whose values the page wants to be stored."""
_INPUT_SOURCE = re.compile(rb'"source"\s*:\s*5\b')


class _Head(Struct, gc=False):
    timestamp: Raw


_head = msgspec.json.Decoder(_Head)


class Masked(Struct, frozen=True):
    """What masking changed in a list of events, and the inputs that it found, named `rrweb` and their node's id."""

    changed: dict[int, bytes]
    """The changed events, by their index."""
    secret: frozenset[str]
    """Inputs that look secret."""
    late: frozenset[str]
    """Secret inputs that only a typed value revealed: earlier batches may hold its beginning."""
    open: frozenset[str]
    """Inputs whose value is still in the events."""


def mask_rrweb_events(rules: Rules, texts: Sequence[bytes], kinds: Sequence[object]) -> Masked:
    """Masks a batch's events, of these types. Inputs whose element or value looks secret are named, so that they stay
    masked.
    """
    joined = b",".join(texts)
    prefilter = prefilter_batch(rules, joined)
    has_editors = b"contenteditable" in joined
    events = {
        index: event
        for index, (text, kind) in enumerate(zip(texts, kinds, strict=True))
        if (event := _suspect(rules, text, kind, prefilter, has_editors=has_editors)) is not None
    }
    secret: set[int] = set()
    late: set[int] = set()
    typing: set[int] = set()  # ids of inputs whose value is still there after masking
    nodes: dict[int, list[dict[str, Any]]] = {}
    touched: set[int] = set()
    in_editors: set[int] = set()
    for index, event in events.items():
        nodes[index] = []
        try:
            if _look_through(rules, prefilter, texts[index], event, nodes[index], secret, late):
                touched.add(index)
            if has_editors and event.get("type") in _PAGE and mask_editors(_data(event), in_editors):
                touched.add(index)
        except BudgetSpentError:
            event.clear()
    changed: dict[int, bytes] = {}
    for index, event in events.items():
        try:
            if not event:
                changed[index] = _closed(texts[index])
            elif _mask_inputs(rules, event, nodes[index], secret, typing) or index in touched:
                changed[index] = encode(event)
        except UNREADABLE:
            changed[index] = _closed(texts[index])
    return Masked(changed, *(frozenset(map(_name, each)) for each in (secret, late, typing)))


def hide_inputs(texts: Sequence[bytes], inputs: AbstractSet[str]) -> list[bytes]:
    """The same events without the values of these inputs, which are named as `Masked` names them."""
    ids = {int(name.split()[1]) for name in inputs}
    hidden = list(texts)
    for index, text in enumerate(texts):
        if _INPUT_SOURCE.search(text) is None and b'"value"' not in text:
            continue
        event = decode(text)
        if _hide_inputs(_data(event), _elements(event), ids, event.get("type")):
            hidden[index] = encode(event)
    return hidden


def _suspect(
    rules: Rules, text: bytes, kind: object, prefilter: RrwebPrefilter, *, has_editors: bool
) -> dict[str, Any] | None:
    """The event decoded, if something in it may have to be masked; where there are editors, any change of the page."""
    is_change = kind in _PAGE and has_editors
    if not is_change and not (prefilter.may_hold_secret(text) if kind in _PAGE else rules.prefilter.matches(text)):
        return None
    try:
        return cast("dict[str, Any]", decode(text))
    except UNREADABLE:
        return {}  # see `_closed`


def _closed(text: bytes) -> bytes:
    """An event of the application in place of one that cannot be read: players ignore it, where a page without its
    nodes stops them.
    """
    return b'{"type":5,"data":{"tag":"masked","payload":%b},"timestamp":%b}' % (CLOSED, _head.decode(text).timestamp)


def _name(node: int) -> str:
    return f"rrweb {node}"


def _data(event: dict[str, Any]) -> Any:
    return event.get("data")


def _elements(root: Any) -> list[dict[str, Any]]:
    """All form elements of a serialized tree or list of mutations."""
    found: list[dict[str, Any]] = []
    waiting: list[Any] = [root]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            node = cast("dict[str, Any]", each)
            tag = node.get("tagName")
            if isinstance(tag, str) and tag.lower() in FORM:
                found.append(node)
            waiting.extend(node.values())
        elif isinstance(each, list):
            waiting.extend(cast("list[Any]", each))
    return found


def _attributes(holder: dict[str, Any]) -> dict[str, str]:
    found = holder.get("attributes")
    if not isinstance(found, dict):
        return {}
    pairs = cast("dict[str, Any]", found).items()
    return {name.lower(): value for name, value in pairs if isinstance(value, str)}


def _look_through(
    rules: Rules,
    prefilter: RrwebPrefilter,
    text: bytes,
    event: dict[str, Any],
    nodes: list[dict[str, Any]],
    secret: set[int],
    late: set[int],
) -> bool:
    """Masks all texts; finds form elements and the ids of inputs that look secret. Whether anything was changed."""
    kind, data = event.get("type"), _data(event)
    if kind not in _PAGE or not isinstance(data, dict):
        return _mask_other(rules, event)
    members = cast("dict[str, Any]", data)
    if kind == _INCREMENTAL and members.get("source") == _INPUT:
        value = members.get("text")
        if isinstance(value, str) and isinstance(members.get("id"), int) and is_secret_value(value):
            secret.add(members["id"])
            late.add(members["id"])
        return False
    for change in _dicts(members.get("attributes")):
        attributes = _attributes(change)
        if not isinstance(change.get("id"), int):
            continue
        looks = attributes.keys() & _DESCRIBING and is_secret_input(rules, attributes)
        if looks or is_secret_value(attributes.get("value", "")):
            secret.add(change["id"])
            late.add(change["id"])
    is_changed = False
    if prefilter.has_secrets(text):
        is_changed = _walk_page(rules, members, nodes, secret)
    else:
        _find_forms(rules, members, nodes, secret)
    may_name = may_name_secret(text) or (prefilter.is_escaped and b"\\u00" in text)
    return (may_name and mask_attributes(rules, members)) or is_changed


def _is_secret(rules: Rules, attributes: dict[str, str], tag: str) -> bool:
    if rules.is_allowed(attributes.get("name"), attributes.get("id")):
        return attributes.get("type", "").lower() == "password"
    if tag == "select":
        attributes = {name: value for name, value in attributes.items() if name != "value"}
    return is_secret_input(rules, attributes) or is_secret_value(attributes.get("value", ""))


def _mask_inputs(
    rules: Rules, event: dict[str, Any], nodes: list[dict[str, Any]], secret: set[int], typing: set[int]
) -> bool:
    """Masks what was typed; whether anything was changed."""
    kind, data = event.get("type"), _data(event)
    if kind not in _PAGE or not isinstance(data, dict):
        return False
    members = cast("dict[str, Any]", data)
    is_changed = _hide_inputs(members, nodes, secret, kind)
    if members.get("source") == _INPUT:
        return _mask_input(rules, members, typing) or is_changed
    for node in nodes:
        is_changed |= _mask_node(rules, node, secret, typing)
    for change in _dicts(members.get("attributes")):
        value = _attributes(change).get("value")
        if not value or value == MASK:
            continue
        # Which element it is, the change does not say: of a field, mostly.
        if rules.all_inputs and _UNMASKED not in change["attributes"]:
            is_changed |= _hide_value(change)
        elif isinstance(change.get("id"), int):
            typing.add(change["id"])
    return is_changed


def _mask_input(rules: Rules, members: dict[str, Any], typing: set[int]) -> bool:
    text, node = members.get("text"), members.get("id")
    if text in (None, "", MASK):
        return False
    is_kept = members.get("isChecked") is True or members.get("input_masked") is False or not rules.all_inputs
    if not is_kept or not isinstance(text, str) or may_become_secret(text):
        members["text"] = MASK
        return True
    masked = rules.text(text)
    members["text"] = masked
    if isinstance(node, int):
        typing.add(node)
    return masked != text


def _mask_node(rules: Rules, node: dict[str, Any], secret: set[int], typing: set[int]) -> bool:
    attributes = node.get("attributes")
    if node.get("id") in secret or not isinstance(attributes, dict):
        return False  # done already
    members = cast("dict[str, Any]", attributes)
    value = members.get("value")
    if str(members.get("type", "")).lower() in CHOSEN_TYPES:
        return False
    is_allowed = _UNMASKED in members or rules.is_allowed(members.get("name"), members.get("id"))
    is_hidden = rules.all_inputs and not is_allowed
    if is_hidden or (value and may_become_secret(str(value))):
        return _hide_content(node)
    if value and isinstance(node.get("id"), int):
        typing.add(node["id"])
    return False


def _hide_inputs(data: Any, nodes: list[dict[str, Any]], hidden: set[int], kind: Any) -> bool:
    """Masks the values of these inputs in a snapshot, a mutation or an input event."""
    if not isinstance(data, dict) or kind not in _PAGE:
        return False
    members = cast("dict[str, Any]", data)
    if members.get("source") == _INPUT and kind == _INCREMENTAL:
        if members.get("id") not in hidden or members.get("text") in (None, "", MASK):
            return False
        members["text"] = MASK
        return True
    is_changed = False
    for node in nodes:
        if node.get("id") in hidden:
            is_changed |= _hide_content(node)
    for change in _dicts(members.get("attributes")):
        if change.get("id") in hidden:
            is_changed |= _hide_value(change)
    return is_changed


def _hide_content(node: dict[str, Any]) -> bool:
    """Masks the value of a form element and the text in it."""
    is_changed = _hide_value(node)
    for child in _dicts(node.get("childNodes")):
        if child.get("textContent") not in (None, "", MASK):
            child["textContent"] = MASK
            is_changed = True
    return is_changed


def _hide_value(holder: dict[str, Any]) -> bool:
    attributes = holder.get("attributes")
    if not isinstance(attributes, dict) or cast("dict[str, Any]", attributes).get("value") in (None, "", MASK):
        return False
    attributes["value"] = MASK
    return True


def _find_forms(rules: Rules, data: dict[str, Any], nodes: list[dict[str, Any]], secret: set[int]) -> None:
    """Adds form elements to `nodes` and the secret ones' ids to `secret`."""
    waiting: list[Any] = [data]
    while waiting:
        holder = waiting.pop()
        kind = holder.__class__
        if kind is list:
            waiting += holder
        elif kind is dict:
            if "tagName" in holder:
                _add_form(rules, holder, nodes, secret)
            waiting += holder.values()


def _walk_page(rules: Rules, data: dict[str, Any], nodes: list[dict[str, Any]], secret: set[int]) -> bool:
    """The same, and masks texts and attributes of the page. An element is checked before its content is masked.
    Drawings and styles are left as they are.
    """
    is_changed = False
    waiting: list[Any] = [data]
    while waiting:
        holder = waiting.pop()
        if type(holder) is dict:
            members = cast("dict[str, Any]", holder)
            if "tagName" in members:
                _add_form(rules, members, nodes, secret)
            is_style = members.get("isStyle") is True
            pairs: Any = [pair for pair in members.items() if pair[0] != "textContent"] if is_style else members.items()
        else:
            pairs = enumerate(cast("list[Any]", holder))
        for place, value in pairs:
            kind = value.__class__
            if kind is str:
                if place not in LEFT_ALONE and (masked := rules.text(value)) != value:
                    holder[place] = masked
                    is_changed = True
            elif kind is dict or kind is list:
                waiting.append(value)
    return is_changed


def _add_form(rules: Rules, node: dict[str, Any], nodes: list[dict[str, Any]], secret: set[int]) -> None:
    """If it is a form element."""
    tag = node["tagName"]
    if not isinstance(tag, str) or tag not in FORM:
        return
    nodes.append(node)
    if isinstance(node.get("id"), int) and _is_secret(rules, _attributes(node), tag.lower()):
        secret.add(node["id"])


def _mask_other(rules: Rules, event: dict[str, Any]) -> bool:
    """Masks an event of an application or a plugin, or of an unknown type."""
    is_changed = rules.mask_object(event)
    data = _data(event)
    payload = cast("dict[str, Any]", data).get("payload") if isinstance(data, dict) else None
    if isinstance(payload, dict) and str(cast("dict[str, Any]", data).get("tag")).lower() in input_events.TYPING:
        is_changed |= input_events.drop_keys(cast("dict[str, Any]", payload))
    return is_changed


def _dicts(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", each) for each in cast("list[Any]", value) if isinstance(each, dict)]
