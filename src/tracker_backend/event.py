"""An event of a session: the struct that clients send, that masking works on, and whose fields are columns of a row."""

from typing import Annotated

from msgspec import Meta, Raw, Struct, field

INT4 = 2**31 - 1

Time = int | float | str
"""A time as clients write it: ISO 8601 text, epoch milliseconds, or epoch seconds (a number below 10^11)."""
Pixels = Annotated[int, Meta(ge=-INT4, le=INT4)] | None
"""CSS pixels."""


class Event(Struct, forbid_unknown_fields=True, gc=False):
    """One event. Its fields are, in this order, the last columns of a row: see `EVENT_FIELDS`.

    A docstring describes all fields between it and the docstring before it.
    """

    timestamp: Time
    """ISO 8601 (UTC if it names no zone), epoch milliseconds or seconds (a number below 10^11), also as a text."""
    event_type: Annotated[str, Meta(min_length=1)]
    """Any name; truncated to 50 characters. The session counts `click`, `error`, `pageview` and `rage_click`."""
    target_element: str | None = None
    """Outer HTML of the element; truncated to 255 characters."""
    target_selector: str | None = None
    target_tag: str | None = None
    target_id: str | None = None
    target_class: str | None = None
    """CSS selector, tag name, id and class of the element."""
    page_url: str | None = None
    """URL of the page. If it is missing: that of the previous event in the batch, else the first one in the batch, else
    that of the session.
    """
    viewport_x: Pixels = None
    viewport_y: Pixels = None
    """Position in the window."""
    screen_x: Pixels = None
    screen_y: Pixels = None
    """Position on the screen."""
    scroll_x: Pixels = None
    scroll_y: Pixels = None
    """Scroll position."""
    input_value: str | None = None
    """Value of a form field. It is stored as `********` unless `input_masked` is false and the field and the value do
    not [look like a secret](../how-to/mask-secrets.md).
    """
    input_masked: bool | None = None
    """`true`: the value is secret. `false`: the page wants the value to be stored."""
    key_pressed: str | None = None
    """A named key (`Enter`, `ArrowUp`, `F5`) is stored as it is, any other key as `char`."""
    mouse_button: Annotated[int, Meta(ge=-32768, le=32767)] | None = None
    """0 main, 1 middle, 2 secondary."""
    click_count: Annotated[int, Meta(ge=-INT4, le=INT4)] | None = None
    """2 for the second click of a double click."""
    event_data: Raw = field(default_factory=Raw)
    """Anything else about the event: any JSON."""
    # It stays the last field: `ingest.rows` puts the stored value in its place.


NO_DATA = (Raw(), Raw(b"null"))
"""What `event_data` is in an event that has none."""
EVENT_FIELDS = Event.__struct_fields__
