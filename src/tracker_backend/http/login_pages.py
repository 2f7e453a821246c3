"""The two pages that people come in by: `/login`, and `/join`, where links lead. They call the API like any client."""

from pathlib import Path

from litestar import Response, get
from litestar.params import FromPath

from tracker_backend.http.assets import REVALIDATE, answer, find_asset
from tracker_backend.http.request import AnyRequest

_FOLDER = Path(__file__).parent / "login_pages_files"
_HEADERS = {
    # Nothing but its own script and style, and in no other site's frame.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@get("/login", include_in_schema=False)
async def login_page(request: AnyRequest) -> Response[bytes]:
    """Where people log in and out."""
    return answer(request, find_asset(_FOLDER, "login.html", ""), REVALIDATE, _HEADERS)


@get("/join", include_in_schema=False)
async def join_page(request: AnyRequest) -> Response[bytes]:
    """Where links lead: the token stands after the #, so that it comes into no log."""
    return answer(request, find_asset(_FOLDER, "join.html", ""), REVALIDATE, _HEADERS)


@get("/doors/{name:str}", include_in_schema=False)
async def door_asset(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Their script and style."""
    return answer(request, find_asset(_FOLDER, name, ""), REVALIDATE, _HEADERS)
