"""Sets of fields that once looked secret: a session keeps theirs, and what they hold stays masked for good.

A field is named by what an event or a recording says of it: `id card`, `name email`, `rrweb 17`.
"""

EVERY_FIELD = "*"
"""In a session's set: it had too many secret fields, so all fields are secret."""
MOST_FIELDS = 500
_EVERY = frozenset({EVERY_FIELD})


def bounded(fields: frozenset[str]) -> frozenset[str]:
    """The same set, or every field if it has more than `MOST_FIELDS`."""
    return fields if len(fields) <= MOST_FIELDS and EVERY_FIELD not in fields else _EVERY


def overlaps(names: frozenset[str], secret: frozenset[str]) -> bool:
    """Whether one of these names is among the secret fields."""
    return EVERY_FIELD in secret or not names.isdisjoint(secret)


def among(names: frozenset[str], secret: frozenset[str]) -> frozenset[str]:
    """Those of the names that are secret."""
    return names if EVERY_FIELD in secret else names & secret
