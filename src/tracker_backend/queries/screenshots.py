"""Screenshots: the list of a session, and the image of one."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Struct

from tracker_backend.errors import NotFound
from tracker_backend.storage.nodes import milliseconds_of
from tracker_backend.storage.pool import Pool
from tracker_backend.storage.session_bounds import get_bounds
from tracker_backend.storage.sql import load

_PAGE = 200
_sql = load(__file__, "screenshots")
_MICROSECOND = timedelta(microseconds=1)
_BEGIN = datetime(1, 1, 1, tzinfo=UTC)


class Screenshot(Struct, frozen=True):
    """A screenshot without its image. Width and height are pixels of the stored image, its size is in bytes."""

    screenshot_id: int
    page_url: str
    timestamp: datetime
    image_format: str
    image_width: int
    image_height: int
    file_size: int


class ScreenshotImage(Struct, frozen=True):
    """The image of a screenshot."""

    image_format: str
    sha256: bytes
    image_data: bytes
    thumbnail: bytes

    @property
    def data_url(self) -> str:
        """The image as a `data:` URL."""
        return f"data:image/{self.image_format};base64,{base64.b64encode(self.image_data).decode()}"


async def list_screenshots(
    pool: Pool, project_id: int, session_id: UUID, time_from: datetime | None, time_to: datetime | None
) -> AsyncIterator[Screenshot]:
    """A session's screenshots in order of time, from `time_from` (included) to `time_to` (not included)."""
    bounds = await get_bounds(pool, project_id, session_id)
    first = max(bounds.first, time_from or bounds.first)
    last = min(bounds.last + _MICROSECOND, time_to or bounds.last + _MICROSECOND)
    position = (_BEGIN, 0)
    while True:
        rows = await pool.fetch(_sql.list_screenshots, project_id, session_id, first, last, *position, _PAGE)
        for row in rows:
            yield Screenshot(*row)
        if len(rows) < _PAGE:
            return
        position = (rows[-1]["timestamp"], rows[-1]["screenshot_id"])


async def get_image(pool: Pool, project_id: int, screenshot_id: int) -> ScreenshotImage:
    """The image of a screenshot; that of the first one where the same image was sent again. Raises NotFound."""
    image_id = screenshot_id
    for _ in range(2):
        row = None
        if 0 <= image_id < 2**53:
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds_of(image_id))
            row = await pool.fetchrow(_sql.find_screenshot, project_id, image_id, moment)
        if row is None:
            break
        if row["image_of"] is None:
            return ScreenshotImage(row["image_format"], row["sha256"], row["image_data"], row["thumbnail"])
        image_id = row["image_of"]
    raise NotFound(f"there is no screenshot {screenshot_id} in this project.")
