"""A validation error names the values and the fields that are valid."""

from typing import Literal

import msgspec
import pytest
from msgspec import Struct

from tracker_backend.validation_errors import explain


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
    ("text", "ending"),
    [
        ('{"kind": "super"}', "Invalid enum value 'super' - at `$.kind`: give admin, read or write"),
        ('{"kind": "read", "inner": {"size": "huge"}}', "'huge' - at `$.inner.size`: give large or small"),
        ('{"kinds": "read"}', "unknown field `kinds`: use one of `kind`, `inner`, `count`, `parts`"),
        ('{"kind": "read", "inner": {"siz": 1}}', "unknown field `siz` - at `$.inner`: use one of `size`"),
        ('{"kind": "read", "count": "x"}', "got `str` - at `$.count`"),
        ('{"kind": "read", "parts": [{"size": "huge"}]}', "'huge' - at `$.parts[0].size`"),
    ],
)
def test_an_error_names_what_is_valid(text: str, ending: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.json.decode(text, type=Form)
    assert explain(raised.value, Form).endswith(ending)
