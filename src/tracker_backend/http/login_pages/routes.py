"""The login page `/login`, and `/join`, which one-time links open. Both call the API like any client."""

from pathlib import Path

from litestar import Response, get
from litestar.params import FromPath

from tracker_backend.http.assets import REVALIDATE, answer, find_asset
from tracker_backend.http.request import AnyRequest

_FOLDER = Path(__file__).parent / "files"
_HEADERS = {
    # Nothing but its own script and style, and in no other site's frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@get("/login", scope="none", include_in_schema=False)
async def login_page(request: AnyRequest) -> Response[bytes]:
    """The page on which people log in and out."""
    return answer(request, find_asset(_FOLDER, "login.html", ""), REVALIDATE, _HEADERS)


@get("/join", scope="none", include_in_schema=False)
async def join_page(request: AnyRequest) -> Response[bytes]:
    """The page that a one-time link opens. The token stands after the #, so that no server log holds it."""
    return answer(request, find_asset(_FOLDER, "join.html", ""), REVALIDATE, _HEADERS)


@get("/doors/{name:str}", scope="none", include_in_schema=False)
async def page_asset(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """A script or style of these pages."""
    return answer(request, find_asset(_FOLDER, name, ""), REVALIDATE, _HEADERS)
