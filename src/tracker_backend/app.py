"""The application: every route on one screen, and the server's life around it."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, nullcontext

from litestar import Litestar, Router
from litestar.handlers import BaseRouteHandler
from litestar.openapi.spec import Tag

from tracker_backend import settings as environment
from tracker_backend.dialects.registry import DIALECTS, dialect_routes
from tracker_backend.http import (
    analytics,
    audit,
    config,
    export,
    keys,
    live,
    login,
    one_time_links,
    pages,
    people,
    problem,
    projects,
    recordings,
    screenshots,
    sessions,
    system,
    tickets,
    track,
    visitors,
)
from tracker_backend.http.answer_headers import add_answer_headers
from tracker_backend.http.body_memory import BodyMemory
from tracker_backend.http.cors import add_cors_headers, with_preflight
from tracker_backend.http.dependencies import DEPENDENCIES, authorize_request
from tracker_backend.http.docs import docs_asset, errors_page, openapi_config
from tracker_backend.http.drop_reasons import add_drop_header
from tracker_backend.http.escaped_paths import DecodedParameters, keep_escapes
from tracker_backend.http.head_requests import answer_head
from tracker_backend.http.login_pages import routes as login_pages
from tracker_backend.http.query_parameters import collect_query_parameters
from tracker_backend.http.route_options import check_routes
from tracker_backend.http.services import Services
from tracker_backend.http.timeout import RequestTimeout
from tracker_backend.serve import DSN_VARIABLE, PARENT_VARIABLE, reduce_garbage_collection, watch_parent
from tracker_backend.settings import Settings
from tracker_backend.storage.lifecycle import serving_database

API = "/api/v1"

V1_ROUTES: list[BaseRouteHandler] = [
    config.get_config,
    sessions.create_session,
    sessions.list_sessions,
    sessions.get_session,
    sessions.list_events,
    sessions.delete_session,
    track.track,
    track.track_screenshot,
    track.track_recording,
    recordings.get_recording,
    export.export_session,
    live.watch,
    live.watch_events,
    tickets.make_ticket,
    screenshots.list_screenshots,
    screenshots.get_screenshot,
    login.login,
    login.logout,
    login.me,
    login.change_password,
    people.list_members,
    people.change_role,
    people.remove_member,
    people.invite,
    people.list_invitations,
    people.withdraw_invitation,
    one_time_links.look,
    one_time_links.use,
    analytics.hourly,
    analytics.daily,
    projects.list_projects,
    projects.create_project,
    projects.get_project,
    projects.change_project,
    projects.archive_project,
    projects.restore_project,
    projects.remove_project,
    export.export_project,
    keys.list_keys,
    keys.create_key,
    keys.rotate_key,
    keys.revoke_key,
    audit.list_audit,
    visitors.export_visitor,
    visitors.create_erasure,
    visitors.list_erasures,
    visitors.get_erasure,
    visitors.check_erasure,
]
ROUTES = [
    Router(API, route_handlers=with_preflight(V1_ROUTES)),
    *with_preflight(dialect_routes()),
    system.health,
    system.prometheus,
    pages.tracker_script,
    pages.tracker_part,
    docs_asset,
    errors_page,
    login_pages.login_page,
    login_pages.join_page,
    login_pages.page_asset,
    pages.favicon,
    pages.home,
    pages.demo_home,
    pages.demo,
]


def create_app(settings: Settings | None = None, dsn: str | None = None) -> Litestar:
    """The ASGI app, for `serve` and for hosts that run it themselves (`tracker_backend.app:create_app`, a factory).

    `dsn` is a database that is migrated already; without it the app migrates that of DATABASE_URL or starts its own.
    """
    chosen = settings or environment.load()
    given = dsn or os.environ.get(DSN_VARIABLE)
    parent = os.environ.get(PARENT_VARIABLE)

    @asynccontextmanager
    async def life(app: Litestar) -> AsyncGenerator[None]:
        watch = asyncio.create_task(watch_parent(int(parent))) if parent else None
        async with nullcontext(given) if given else serving_database(chosen) as ready:
            services = await Services.open(chosen, ready)
            app.state["services"] = services
            if DSN_VARIABLE in os.environ:  # a process of `serve`, not of a host that runs more than this app
                reduce_garbage_collection()
            try:
                for dialect in DIALECTS:
                    if dialect.lifespan is not None:
                        await services.extensions.enter_async_context(dialect.lifespan(app))
                yield
            finally:
                await services.close()
                if watch is not None:
                    watch.cancel()

    app = Litestar(
        ROUTES,
        lifespan=[life],
        before_send=[add_drop_header, add_cors_headers, add_answer_headers],
        dependencies=DEPENDENCIES,
        before_request=authorize_request,
        # A write answers its own time-out first.
        middleware=[
            RequestTimeout(chosen.request_timeout + 1, chosen.body_rate),
            BodyMemory(chosen),
            DecodedParameters(),
        ],
        exception_handlers=problem.HANDLERS,
        openapi_config=openapi_config([Tag(name=it.name, description=it.summary) for it in DIALECTS]),
        request_max_body_size=chosen.max_body,
        logging_config=None,
    )
    app.asgi_handler = answer_head(keep_escapes(app.asgi_handler))
    check_routes(app)
    collect_query_parameters(app)
    return app
