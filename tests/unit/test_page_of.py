"""What makes an address another page, in recordings as in the tag."""

import pytest

from tests.unit.test_mask_rrweb import read, rrweb
from tracker_backend.recordings.extraction import page_of


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://a.example/list", "https://a.example/list#"),
        ("https://a.example/list?size=2#reviews", "https://a.example/list#"),
        ("https://a.example/#/", "https://a.example/#"),
        ("https://a.example/?x=1#/cart?step=2", "https://a.example/#cart"),
        ("https://a.example/#!cart", "https://a.example/#cart"),
        ("https://a.example/#!/cart/2#x", "https://a.example/#cart/2#x"),
    ],
)
def test_a_page_is_its_path_and_the_route_in_its_fragment(url: str, page: str) -> None:
    assert page_of(url) == page


def test_a_recording_has_a_page_view_for_each_page_and_none_for_a_filter() -> None:
    base = "https://a.example"
    paths = ["/", "/#", "/list", "/list?size=1", "/list?size=2#top", "/list#/cart", "/list"]
    _, recording = read(*(rrweb(4, href=base + path, width=1, height=1) for path in paths))
    seen = [each.page_url for each in recording.found if each.event.event_type == "pageview"]
    assert seen == [base + path for path in ("/", "/list", "/list#/cart", "/list")]
