"""An event of a session: the struct that clients send, that masking works on, and whose fields are columns of a row."""

from typing import Annotated

from msgspec import Meta, Raw, Struct, field

INT4 = 2**31 - 1

Time = int | float | str
"""A time as clients write it: ISO 8601 text, epoch milliseconds, or epoch seconds (a number below 10^11)."""
Pixels = Annotated[int, Meta(ge=-INT4, le=INT4)] | None
"""CSS pixels."""


class Event(Struct, forbid_unknown_fields=True, gc=False):
    """One event. Its fields are, in this order, the last columns of a row: see `EVENT_FIELDS`."""

    timestamp: Time
    event_type: Annotated[str, Meta(min_length=1)]
    target_element: str | None = None
    target_selector: str | None = None
    target_tag: str | None = None
    target_id: str | None = None
    target_class: str | None = None
    page_url: str | None = None
    viewport_x: Pixels = None
    viewport_y: Pixels = None
    screen_x: Pixels = None
    screen_y: Pixels = None
    scroll_x: Pixels = None
    scroll_y: Pixels = None
    input_value: str | None = None
    input_masked: bool | None = None
    key_pressed: str | None = None
    mouse_button: Annotated[int, Meta(ge=-32768, le=32767)] | None = None
    click_count: Annotated[int, Meta(ge=-INT4, le=INT4)] | None = None
    event_data: Raw = field(default_factory=Raw)
    """Any JSON. It stays the last field: `ingest.rows` puts the stored value in its place."""


EVENT_FIELDS = Event.__struct_fields__
