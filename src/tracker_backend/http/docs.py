"""The API's documentation at `/docs`: OpenAPI 3.1, read in the browser without asking any other host; and the page
that the `type` of every problem leads to.
"""

import re
from html import escape
from inspect import cleandoc

from litestar import Response, Router, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, SwaggerRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Tag
from litestar.params import FromPath

from tracker_backend import __version__
from tracker_backend.bundled import TRACKER_JS
from tracker_backend.errors import SchemaError, SettingsError, TrackerError
from tracker_backend.http.assets import REVALIDATE, answer, find_asset
from tracker_backend.http.request import AnyRequest

_ASSETS = "/docs-assets"
_CODE = re.compile(r"`([^`]+)`")
_DESCRIPTION = """\
Send events, recordings and screenshots; read sessions, replays, live streams, hourly and daily numbers. Every 2xx of a
write is sent after the commit.

Keys: `X-API-Key` or `Authorization: Bearer`; a write key may also stand in the URL (`?key=`), where a beacon cannot set
headers. A server on loopback answers direct local calls without a key. Errors are RFC 9457 problem details."""


def openapi_config(dialects: list[Tag]) -> OpenAPIConfig:
    """What litestar makes the document and the page from; `dialects` are their tags."""
    return OpenAPIConfig(
        title="tracker-backend",
        version=__version__,
        description=_DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        openapi_router=Router("/docs", route_handlers=[], include_in_schema=False, opt={"scope": "none"}),
        use_handler_docstrings=True,
        tags=[
            Tag(name="write", description="What trackers send (write key)"),
            Tag(name="read", description="What people and programs read (read key)"),
            Tag(name="delete", description="Needs an admin key, always"),
            Tag(name="people", description="Logging in, and who may do what (a browser's login, or an admin key)"),
            *dialects,
            Tag(name="service", description="The server itself"),
        ],
        components=Components(
            security_schemes={
                "key": SecurityScheme(type="apiKey", name="X-API-Key", security_scheme_in="header"),
                "bearer": SecurityScheme(type="http", scheme="bearer"),
                "write key in URL": SecurityScheme(type="apiKey", name="key", security_scheme_in="query"),
            }
        ),
        security=[{}, {"key": []}, {"bearer": []}],
        render_plugins=[
            SwaggerRenderPlugin(
                path="/",
                js_url=f"{_ASSETS}/swagger-ui-bundle.js",
                css_url=f"{_ASSETS}/swagger-ui.css",
                standalone_preset_js_url=f"{_ASSETS}/swagger-ui-standalone-preset.js",
                favicon='<link rel="icon" href="data:,">',
            ),
            JsonRenderPlugin(path="/openapi.json"),
        ],
    )


@get(_ASSETS + "/{name:str}", scope="none", include_in_schema=False)
async def docs_asset(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """A file of the documentation page."""
    return answer(request, find_asset(TRACKER_JS / "docs", name, ": run `make build`"), REVALIDATE)


def _paragraphs(docstring: str) -> str:
    """A docstring as HTML: blank lines part paragraphs, backticks hold code."""
    html = _CODE.sub(r"<code>\1</code>", escape(cleandoc(docstring)))
    return "".join(f"<p>{paragraph}</p>" for paragraph in html.split("\n\n"))


@get("/docs/errors", scope="none", include_in_schema=False, media_type="text/html")
async def errors_page() -> str:
    """What each problem means, from the errors themselves."""
    kinds = sorted(set(TrackerError.__subclasses__()) - {SettingsError, SchemaError}, key=lambda kind: kind.status)
    sections = "".join(
        f'<h2 id="{kind.kind}">{kind.status} {kind.kind}</h2>{_paragraphs(kind.__doc__ or "")}'
        for kind in [*kinds, TrackerError]
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Errors - tracker-backend</title>'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem}"
        "h2{font-size:1.1rem;margin-top:2rem}:target{background:#fff3bf}</style>"
        "<h1>Errors</h1><p>Every error is an RFC 9457 problem: its <code>type</code> leads to one of these, its "
        f"<code>detail</code> says what was wrong this time.</p>{sections}</html>"
    )
