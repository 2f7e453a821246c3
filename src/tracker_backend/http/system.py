"""The service itself: its health and its metrics."""

import time
from typing import Literal

from litestar import Response, get
from msgspec import Struct

from tracker_backend import metrics
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of
from tracker_backend.storage.durability import durability_warnings


class Health(Struct, frozen=True):
    """How the server is. `uptime` in seconds; `warnings` are settings of the database that put stored data at risk."""

    status: Literal["healthy", "degraded", "unhealthy"]
    database: Literal["connected", "disconnected"]
    redis: Literal["connected", "disconnected", "disabled"]
    uptime: int
    sessions_active: int
    events_per_minute: int
    storage: dict[str, str]
    warnings: list[str] = []


@get("/health", scope="none", summary="How the server is", tags=["service"])
async def health(request: AnyRequest) -> Response[Health]:
    """How the server is: 200 while it can store and read, 503 when the database is away."""
    services = services_of(request)
    uptime = int(time.monotonic() - services.started)
    try:
        storage = {"tier": services.database.store.tier, **await services.database.store.versions()}
        active, events = await services.activity()
        warnings = await durability_warnings(services.pool)
    except Exception:
        tier = {"tier": services.database.store.tier}
        redis = services.hub.redis
        return Response(Health("unhealthy", "disconnected", redis, uptime, 0, 0, tier), status_code=503)
    redis = services.hub.redis
    status = "degraded" if services.pipeline.writer.is_busy or redis == "disconnected" else "healthy"
    return Response(Health(status, "connected", redis, uptime, active, events, storage, warnings))


@get("/metrics", scope="none", summary="Metrics for Prometheus", tags=["service"], media_type="text/plain")
async def prometheus() -> Response[bytes]:
    """Counters and gauges for Prometheus, of all workers of this host."""
    return Response(metrics.render(), media_type=metrics.CONTENT_TYPE)
