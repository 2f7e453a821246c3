"""The keys of the caller's project: made, listed, rotated, revoked."""

from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, RawBody
from msgspec import Meta, Struct

from tracker_backend.accounts import keys
from tracker_backend.errors import Invalid, NotFound
from tracker_backend.http.examples import operation
from tracker_backend.http.json_body import NO_STORE, read_form
from tracker_backend.http.request import AnyRequest
from tracker_backend.http.services import services_of

_TAG = "keys"


class KeyRequest(Struct, forbid_unknown_fields=True):
    """A key to be made."""

    kind: keys.Kind
    name: Annotated[str, Meta(max_length=100, description="What it is for")] = ""
    days: Annotated[float, Meta(gt=0, le=keys.MAX_DAYS, description="Until it expires; null: never")] | None = None


class Rotation(Struct, forbid_unknown_fields=True):
    """How long the public key that is replaced goes on."""

    grace_hours: Annotated[float, Meta(ge=0, le=keys.MAX_GRACE_HOURS, description="0: it ends now")] = 24


class KeyList(Struct, frozen=True):
    """Keys, newest first."""

    data: list[keys.KeyLine]


_key = msgspec.json.Decoder(KeyRequest)
_rotation = msgspec.json.Decoder(Rotation)


@get("/keys", summary="List a project's keys", tags=[_TAG])
async def list_keys(request: AnyRequest) -> KeyList:
    """List the project's keys, newest first, also those that ended: by their first characters, never whole.

    `public_key` is the write key that pages carry; everyone may know it.
    """
    services = services_of(request)
    caller = await services.access.check(request, "edit")
    return KeyList(await keys.list_keys(services.pool, caller.project_id))


@post(
    "/keys",
    operation_class=operation(KeyRequest, {"kind": "read", "name": "dashboard"}),
    summary="Make a key",
    tags=[_TAG],
)
async def create_key(request: AnyRequest, body: RawBody) -> Response[keys.NewKey]:
    """Make a secret key, which this answer shows once. For owners and admin keys."""
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    wanted = read_form(request, body, _key)
    async with services.pool.acquire() as connection, connection.transaction():
        made = await keys.issue_key(connection, caller.actor, caller.project_id, wanted.kind, wanted.name, wanted.days)
    return Response(made, status_code=201, headers=NO_STORE)


@post(
    "/keys/rotate",
    operation_class=operation(Rotation, {"grace_hours": 24}),
    summary="Replace the public key",
    tags=[_TAG],
)
async def rotate_key(request: AnyRequest, body: RawBody) -> keys.Rotated:
    """Replace the public write key that pages carry. The one before goes on for `grace_hours`, so that pages that are
    open or cached send on.
    """
    services = services_of(request)
    caller = await services.access.check(request, "edit")
    hours = (read_form(request, body, _rotation) if body else Rotation()).grace_hours
    async with services.pool.acquire() as connection, connection.transaction():
        return await keys.rotate_public_key(connection, caller.actor, caller.project_id, hours)


@delete("/keys/{prefix:str}", summary="Revoke a key", tags=[_TAG])
async def revoke_key(request: AnyRequest, prefix: FromPath[str]) -> None:
    """Revoke a key by its first 10 characters. Every process refuses it within a second. For owners and admin keys."""
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    if len(prefix) != keys.PREFIX_LENGTH:
        raise Invalid(
            f"a key is named by its first {keys.PREFIX_LENGTH} characters, as lists show them, and this has"
            f" {len(prefix)}: a whole key belongs in no URL."
        )
    async with services.pool.acquire() as connection, connection.transaction():
        if not await keys.revoke_key(connection, caller.actor, caller.project_id, prefix):
            raise NotFound(f"no valid key of this project begins with {prefix}: GET /api/v1/keys lists them.")
