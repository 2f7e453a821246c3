"""How a project wants its pages recorded: the tag requests it before it records."""

import hashlib
from typing import Annotated

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from msgspec import Meta, Struct

from tracker_backend.accounts import projects
from tracker_backend.accounts.project_settings import Masking
from tracker_backend.http.caller import Caller
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import Services

_CACHE = "public, max-age=60"


class Config(Struct, frozen=True):
    """How the project's pages are recorded."""

    project_id: int
    sampling_rate: Annotated[
        float, Meta(description="The share of sessions that is recorded; 0 in an archived project")
    ]
    record: Annotated[bool, Meta(description="Whether the tag records pages by itself")]
    masking: Masking
    honour_gpc: Annotated[bool, Meta(description="Whether batches with `Sec-GPC: 1` are dropped")]
    honour_dnt: Annotated[bool, Meta(description="Whether batches with `DNT: 1` are dropped")]


@get("/config", scope="write", cors=True, summary="Ask how to record", tags=["write"])
async def get_config(
    request: AnyRequest, services: NamedDependency[Services], caller: NamedDependency[Caller]
) -> Response[bytes]:
    """Ask how the project wants its pages recorded: sampling, masking, which signals of visitors are honoured.

    With a write key, which may stand in the URL. Any page may read it, whatever `allowed_origins` says: only writes are
    refused. It may be kept for a minute, so a change reaches the pages within one.
    """
    wanted, is_archived = await projects.get_settings(services.pool, caller.project_id)
    config = Config(
        caller.project_id,
        0.0 if is_archived else wanted.sampling_rate,
        wanted.record and not is_archived,
        wanted.masking,
        services.settings.honour_gpc,
        services.settings.honour_dnt,
    )
    text = msgspec.json.encode(config)
    tag = f'"{hashlib.sha256(text).hexdigest()[:32]}"'
    headers = {"Cache-Control": _CACHE, "ETag": tag, "Vary": "X-API-Key, Authorization, Cookie"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers)
    return Response(text, media_type="application/json", headers=headers)
