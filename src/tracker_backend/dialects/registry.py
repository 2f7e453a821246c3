"""The dialects that the server speaks: a new one is a folder and a line here."""

from litestar.handlers import BaseRouteHandler

from tracker_backend.dialects.incuera import routes as incuera
from tracker_backend.dialects.reev import routes as reev
from tracker_backend.dialects.spectra import routes as spectra
from tracker_backend.dialects.uxcam import routes as uxcam

DIALECTS = [spectra.DIALECT, incuera.DIALECT, uxcam.DIALECT, reev.DIALECT]


def dialect_routes() -> list[BaseRouteHandler]:
    """The routes of all dialects; a route that several share is in the list once."""
    return list(dict.fromkeys(route for dialect in DIALECTS for route in dialect.routes))
