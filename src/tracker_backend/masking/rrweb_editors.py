"""Masks what is typed into editors (`contenteditable`) in rrweb events: it is text of the page."""

from typing import Any, cast

from tracker_backend.masking.patterns import MASK


def mask_editors(data: Any, inside: set[int]) -> bool:
    """Masks the texts in editors that a full snapshot or a mutation holds; whether anything was changed.

    `inside` are the ids of the nodes in editors: those of the events before it in the batch, to which its own are
    added. An editor of an earlier batch is not known.
    """
    if not isinstance(data, dict):
        return False
    members = cast("dict[str, Any]", data)
    waiting: list[tuple[Any, bool]] = [(members.get("node"), False)]
    waiting += [(change.get("node"), change.get("parentId") in inside) for change in _dicts(members.get("adds"))]
    is_changed = False
    while waiting:
        node, is_inside = waiting.pop()
        if not isinstance(node, dict):
            continue
        found = cast("dict[str, Any]", node)
        is_inside = _is_editor(found, is_inside=is_inside)
        if is_inside and isinstance(found.get("id"), int):
            inside.add(found["id"])
        if is_inside and found.get("isStyle") is not True:
            is_changed |= _mask(found, "textContent")
        waiting += [(child, is_inside) for child in _dicts(found.get("childNodes"))]
    for change in _dicts(members.get("texts")):
        if change.get("id") in inside:
            is_changed |= _mask(change, "value")
    return is_changed


def _is_editor(node: dict[str, Any], *, is_inside: bool) -> bool:
    """Whether the content of a node is typed, if that around it is or is not."""
    attributes = node.get("attributes")
    if not isinstance(attributes, dict):
        return is_inside
    members = cast("dict[str, Any]", attributes)
    if "data-unmask" in members:
        return False
    if "contenteditable" in members:
        return str(members["contenteditable"]).lower() != "false"
    return is_inside


def _mask(holder: dict[str, Any], name: str) -> bool:
    text = holder.get(name)
    if not isinstance(text, str) or not text.strip() or text == MASK:
        return False
    holder[name] = MASK
    return True


def _dicts(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list):
        return []
    return [cast("dict[str, Any]", each) for each in cast("list[Any]", value) if isinstance(each, dict)]
