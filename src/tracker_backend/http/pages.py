"""What browsers load from here: the tracker's script with its lazy parts, and the demo shop."""

from collections.abc import Sequence
from pathlib import Path

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from tracker_backend.accounts import keys
from tracker_backend.bundled import TRACKER_JS
from tracker_backend.errors import NotFound
from tracker_backend.http.assets import IMMUTABLE, REVALIDATE, answer, find_asset, make_asset
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services, services_of

_HINT = ": run `make build` in a checkout, it makes the browser's files"
_ANY_SITE = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}

_WATCH_PAGE = "watch.html"
_ICON = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="7" fill="#d22"/></svg>'


@get("/tracker.js", scope="none", include_in_schema=False)
async def tracker_script(request: AnyRequest) -> Response[bytes]:
    """The tag's script."""
    return answer(request, find_asset(TRACKER_JS, "tracker.js", _HINT), REVALIDATE, _ANY_SITE)


@get("/tracker/{name:str}", scope="none", include_in_schema=False)
async def tracker_part(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """A part that the script loads on demand; its name carries a hash of its content."""
    return answer(request, find_asset(TRACKER_JS, name, ""), IMMUTABLE, _ANY_SITE)


@get("/favicon.ico", scope="none", include_in_schema=False)
async def favicon(request: AnyRequest) -> Response[bytes]:
    """The icon for which browsers ask everywhere: a dot, as of a recorder."""
    return answer(request, make_asset(_ICON, "image/svg+xml"), "public, max-age=86400")


@get("/", scope="none", include_in_schema=False)
async def home(services: NamedDependency[Services]) -> Redirect:
    """The first page a new user opens."""
    return Redirect("/demo/" if services.settings.has_demo else "/docs")


@get("/demo", scope="none", include_in_schema=False)
async def demo_home(request: AnyRequest) -> Response[bytes] | Redirect:
    """The demo shop's first page; its links are relative to the folder."""
    # The framework's own path has no slash at its end.
    return await _demo(request, "index.html") if request.scope["raw_path"].endswith(b"/") else Redirect("/demo/")


@get("/demo/{path:path}", scope="none", include_in_schema=False)
async def demo(request: AnyRequest, path: FromPath[Path]) -> Response[bytes]:
    """The other files of the demo shop."""
    return await _demo(request, str(path).strip("/"))


async def _demo(request: AnyRequest, name: str) -> Response[bytes]:
    """A file of the shop, recorded under the default project."""
    if not services_of(request).settings.has_demo:
        raise NotFound("this server has no demo shop: set TRACKER_DEMO=true and restart it.")
    asset = find_asset(TRACKER_JS / "demo", name, _HINT)
    if asset.media_type.startswith("text/html"):
        pool = services_of(request).pool
        key = await keys.public_key(pool, await keys.default_project(pool))
        page = asset.content.replace(b"{{write_key}}", key.encode())
        asset = make_asset(page, asset.media_type)
    headers = _watch_headers(services_of(request).settings.replay_hosts) if name == _WATCH_PAGE else None
    return answer(request, asset, REVALIDATE, headers)


def _watch_headers(hosts: Sequence[str]) -> dict[str, str]:
    """The policy of a page that shows replays: what a recording names is loaded from this server and `hosts` only.

    In a header, because rrweb's frame inherits it, and a `meta` element would come after the first requests.
    """
    own = " ".join(("'self' data: blob:", *hosts))
    return {
        "Content-Security-Policy": f"default-src 'none'; script-src 'self'; connect-src 'self'; img-src {own}; "
        f"style-src 'unsafe-inline' {own}; font-src {own}; media-src {own}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }
