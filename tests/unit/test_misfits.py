"""What does not fit is told with what does."""

from typing import Literal

import msgspec
import pytest
from msgspec import Struct

from tracker_backend.validation_errors import told


class Inner(Struct, forbid_unknown_fields=True):
    """A part."""

    size: Literal["small", "large"] = "small"


class Form(Struct, forbid_unknown_fields=True):
    """A whole."""

    kind: Literal["read", "write", "admin"]
    inner: Inner | None = None
    count: int = 0
    parts: list[Inner] = []


@pytest.mark.parametrize(
    ("text", "tells"),
    [
        ('{"kind": "super"}', "Invalid enum value 'super' - at `$.kind`: give admin, read or write"),
        ('{"kind": "read", "inner": {"size": "huge"}}', "'huge' - at `$.inner.size`: give large or small"),
        ('{"kinds": "read"}', "unknown field `kinds`: there are `kind`, `inner`, `count`, `parts`"),
        ('{"kind": "read", "inner": {"siz": 1}}', "unknown field `siz` - at `$.inner`: there are `size`"),
        ('{"kind": "read", "count": "x"}', "got `str` - at `$.count`"),
        ('{"kind": "read", "parts": [{"size": "huge"}]}', "'huge' - at `$.parts[0].size`"),
    ],
)
def test_what_may_stand_there_is_told(text: str, tells: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(text, type=Form)
    assert told(raised.value, Form).endswith(tells)
