"""CSS selectors without what was typed: some trackers write a field's value into them, `input[value="…"]`."""

import re
from collections.abc import Collection

from tracker_backend.masking.patterns import MASK

_ATTRIBUTE = re.compile(
    r"(\[\s*+([\w:-]++)\s*+[~|^$*]?=\s*+)(\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\"?|'[^'\\]*+(?:\\.[^'\\]*+)*+'?|[^\]]*+)",
    re.DOTALL,
)
_COMBINATOR = re.compile(r"[\s>+~,]")
_CHOICE = re.compile(r"\b(?:button|option|radio|checkbox|submit|reset)\b", re.IGNORECASE)
"""The page chose the value of these."""
_LOOKED_AT = 80
MOST_TYPED = 50
"""Of more typed values every text is taken to hold one: looking for each would take too long."""
_LEAST = 4
"""Shorter typed values stand in other texts by chance."""


def without_values(selector: str) -> str:
    """A selector without the values of fields: those of the attribute `value`, except of buttons and choices."""

    def mask(found: re.Match[str]) -> str:
        if found[2].lower() != "value" or _is_choice(selector, found.start()):
            return found[0]
        return f'{found[1]}"{MASK}"'

    return _ATTRIBUTE.sub(mask, selector) if "[" in selector else selector


def without_typed(selector: str, typed: Collection[str]) -> str:
    """A selector without the values of attributes that hold one of the typed values."""

    def mask(found: re.Match[str]) -> str:
        value = found[3].strip("\"'")
        is_typed = len(typed) > MOST_TYPED or any(
            value == each or (len(each) >= _LEAST and each in value) for each in typed
        )
        return f'{found[1]}"{MASK}"' if is_typed else found[0]

    return _ATTRIBUTE.sub(mask, selector) if typed and "[" in selector else selector


def _is_choice(selector: str, at: int) -> bool:
    """Whether the element of the attribute that begins there is a button or a choice."""
    return _CHOICE.search(_COMBINATOR.split(selector[max(0, at - _LOOKED_AT) : at])[-1]) is not None
