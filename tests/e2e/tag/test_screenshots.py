"""The tag takes screenshots in a real Chromium, with both engines; the server's images are looked at pixel by pixel."""

import base64
import io
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.e2e.chromium import needs_chromium
from tests.e2e.driver import drive

HERE = Path(__file__).parent
ENGINES = ("modern-screenshot", "html2canvas")
BLANK = ("private", "blocked", "masked", "editor", "private-image", "inline", "in-shadow")
BOX_COLOURS = 20
"""More than an even surface has after JPEG, fewer than a gradient with letters on it."""
MAX_BYTES = 500_000

pytestmark = [pytest.mark.tiers("plain"), *needs_chromium("playwright-core")]
Seen = dict[str, Any]


def see(server_url: str) -> dict[str, Any]:
    """All pages, for all tests of this file."""
    return drive(HERE / "screenshots.mjs", server_url)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def blanks(server_url: str, engine: str) -> Seen:
    """A page with everything that is to be blank."""
    return see(server_url)["blanks"][engine]


@pytest.fixture
def photos(server_url: str, engine: str) -> Seen:
    """A page full of photos, of which none can be made small."""
    return see(server_url)["photos"][engine]


def decode(data_url: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(data_url.partition(",")[2])))
    assert image.format == "JPEG"
    return image.convert("RGB")


def colours(image: Image.Image, box: list[int]) -> int:
    """How many colours there are well inside of a box of the page."""
    x, y, width, height = box
    found = image.crop((x + 4, y + 4, x + width - 4, y + height - 4)).getcolors(maxcolors=1 << 24)
    assert found is not None
    return len(found)


@pytest.mark.parametrize("name", BLANK)
def test_what_is_private_or_blocked_is_blank(blanks: Seen, name: str) -> None:
    image = decode(blanks["image"])
    assert image.width == 800
    assert colours(image, blanks["boxes"][name]) <= BOX_COLOURS
    # What stands beside it is not.
    assert colours(image, blanks["boxes"]["open"]) > 100


def test_the_stored_image_is_the_one_that_was_taken(server_url: str, blanks: Seen) -> None:
    with httpx.Client(base_url=server_url, timeout=10) as api:
        rows = api.get(f"/api/v1/sessions/{blanks['session']}/screenshots").json()["data"]
    assert blanks["image"] in [row["image_data"] for row in rows]


def test_an_image_has_at_most_500_kb(photos: Seen) -> None:
    size = photos["size"]
    assert 100_000 < size["bytes"] <= MAX_BYTES
    assert size["height"] / size["width"] == pytest.approx(photos["height"] / 800, rel=0.02)


def test_an_unchanged_page_is_taken_once(photos: Seen) -> None:
    assert (photos["unchanged"], photos["changed"]) == (0, 1)


def test_each_path_of_a_single_page_app_is_taken(server_url: str) -> None:
    assert see(server_url)["steps"]["urls"] == ["/one", "/two"]


def test_an_image_that_may_not_be_read_is_no_failed_request_of_the_page(server_url: str) -> None:
    assert see(server_url)["strangers"]["failed"] == 0
