"""Screenshots: the list of a session's, and the image of one."""

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from tracker_backend.http.caller import Caller
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services
from tracker_backend.http.sessions import From, To
from tracker_backend.ingest.screenshot import THUMBNAIL_WIDTH
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.queries import screenshots
from tracker_backend.queries.filters import time_parameter
from tracker_backend.storage.session_bounds import get_bounds


@get(
    "/sessions/{session_id:str}/screenshots",
    scope="read",
    summary="List a session's screenshots",
    tags=["read"],
    media_type="application/json",
)
async def list_screenshots(
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    session_id: FromPath[str],
    from_: From = None,
    to: To = None,
    with_data: Annotated[
        bool, QueryParameter(name="data", description="false: the address of each image in place of its bytes")
    ] = True,
) -> Stream:
    """List a session's screenshots in order of time, with their bytes as `data:` URLs or with addresses."""
    first, last = time_parameter(from_, "from"), time_parameter(to, "to")
    key, _ = session_key(caller.project_id, session_id)
    await get_bounds(services.pool, caller.project_id, key)  # 404 before the answer begins
    found = screenshots.list_screenshots(services.pool, caller.project_id, key, first, last)
    return Stream(_json(services, caller.project_id, found, with_data=with_data), media_type="application/json")


async def _json(
    services: Services, project_id: int, found: AsyncIterator[screenshots.Screenshot], *, with_data: bool
) -> AsyncIterator[bytes]:
    """The list as it is read: images are fetched one at a time, so memory holds one."""
    yield b'{"data":['
    separator = b""
    async for screenshot in found:
        line = msgspec.structs.asdict(screenshot)
        if with_data:
            image = await screenshots.get_image(services.pool, project_id, screenshot.screenshot_id)
            line["image_data"] = image.data_url
        else:
            line["url"] = f"/api/v1/screenshots/{screenshot.screenshot_id}"
        yield separator + msgspec.json.encode(line)
        separator = b","
    yield b"]}"


@get(
    "/screenshots/{screenshot_id:int}",
    scope="read",
    unlimited=True,
    summary="Get an image or its thumbnail",
    tags=["read"],
    media_type="image/*",
)
async def get_screenshot(
    request: AnyRequest,
    services: NamedDependency[Services],
    caller: NamedDependency[Caller],
    screenshot_id: FromPath[int],
    width: Annotated[int | None, QueryParameter(ge=1, description="320 or less: the thumbnail")] = None,
) -> Response[bytes]:
    """Get the image itself, or its thumbnail. It never changes, so caches may keep it."""
    image = await screenshots.get_image(services.pool, caller.project_id, screenshot_id)
    small = width is not None and width <= THUMBNAIL_WIDTH
    tag = f'"{image.sha256.hex()}{"-320" if small else ""}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=31536000, immutable"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    content = image.thumbnail if small else image.image_data
    kind = "jpeg" if small else image.image_format
    return Response(
        content,
        media_type=f"image/{kind}",
        # A stored file is never anything but a picture to the browser that opens it.
        headers={**headers, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'"},
    )
