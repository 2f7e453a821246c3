"""Attributes of a recorded page whose names say that they hold a secret: `data-token`, `data-password`, and `content`
of `<meta name="csrf-token">`. The names are those of secret members of JSON (`words.MEMBER`).
"""

from typing import Any, cast

from tracker_backend.masking import words
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.prefilter import compile_bytes
from tracker_backend.masking.rules import Rules

_NO_SECRETS = frozenset({"accesskey"})
_NO_VALUES = frozenset({"", "true", "false", MASK})
"""What a page's styles and scripts switch by; to mask it would change how the replay looks."""
_META_NAMES = ("name", "property", "id", "http-equiv")
_LITERALS = "|".join((*words.literals(words.MEMBER), r"\bpw\b")).encode()
_PATTERN = compile_bytes(
    rb'"[\w:.-]*(?:%b)[\w:.-]*"\s*:|"(?:name|property|id|http-equiv)"\s*:\s*"[\w:.-]*(?:%b)[\w:.-]*"'
    % (_LITERALS, _LITERALS)
)


def may_name_secret(text: bytes) -> bool:
    """Whether the JSON of an event may hold such an attribute; it is decoded then."""
    return _PATTERN.search(text) is not None


def mask_attributes(rules: Rules, data: dict[str, Any]) -> bool:
    """Masks such attributes in place, in a tree of elements or in changes of them; whether anything was changed."""
    is_changed = False
    waiting: list[Any] = [data]
    while waiting:
        holder = waiting.pop()
        if isinstance(holder, list):
            waiting += cast("list[Any]", holder)
        elif isinstance(holder, dict):
            node = cast("dict[str, Any]", holder)
            attributes = node.get("attributes")
            if isinstance(attributes, dict):
                is_changed |= _mask(rules, node.get("tagName"), cast("dict[str, Any]", attributes))
                waiting += [value for name, value in node.items() if name != "attributes"]
            else:
                waiting += node.values()
    return is_changed


def _mask(rules: Rules, tag: Any, attributes: dict[str, Any]) -> bool:
    secret = [name for name in attributes if name.lower() not in _NO_SECRETS and rules.is_member(name)]
    if isinstance(tag, str) and tag.lower() == "meta":
        labels = [label for name in _META_NAMES if isinstance(label := attributes.get(name), str)]
        secret += ["content"] if any(map(rules.is_member, labels)) else []
    hidden = [name for name in secret if isinstance(it := attributes.get(name), str) and it not in _NO_VALUES]
    attributes.update(dict.fromkeys(hidden, MASK))
    return bool(hidden)
