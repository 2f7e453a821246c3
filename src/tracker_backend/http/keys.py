"""The keys of the caller's project: made, listed, rotated, revoked."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Response, delete, get, post
from litestar.params import FromPath, RawBody
from msgspec import Meta, Struct

from tracker_backend.errors import Invalid, NotFound
from tracker_backend.http.examples import operation
from tracker_backend.http.form import NO_STORE, read_form
from tracker_backend.http.request import AnyRequest
from tracker_backend.queries import audit, keys
from tracker_backend.services import services_of

_TAG = "keys"


class KeyRequest(Struct, forbid_unknown_fields=True):
    """A key to be made."""

    kind: keys.Kind
    name: Annotated[str, Meta(max_length=100, description="What it is for")] = ""
    days: Annotated[float, Meta(gt=0, le=keys.MOST_DAYS, description="Until it expires; null: never")] | None = None


class Rotation(Struct, forbid_unknown_fields=True):
    """How long the public key that is replaced goes on."""

    grace_hours: Annotated[float, Meta(ge=0, le=keys.MOST_GRACE_HOURS, description="0: it ends now")] = 24


class NewKey(Struct, frozen=True):
    """A key, shown this once."""

    key: str
    prefix: str
    kind: keys.Kind
    name: str
    expires_at: datetime | None


class Rotated(Struct, frozen=True):
    """The new public write key, and until when the one before it goes on."""

    public_key: str
    replaced: str | None
    """The prefix of the one before; null where there was none."""
    replaced_until: datetime | None
    """null: it has ended."""


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
async def create_key(request: AnyRequest, body: RawBody) -> Response[NewKey]:
    """Make a secret key, which this answer shows once. For owners and admin keys."""
    services = services_of(request)
    caller = await services.access.check(request, "admin")
    wanted = read_form(request, body, _key)
    expires_at = None if wanted.days is None else datetime.now(UTC) + timedelta(days=wanted.days)
    async with services.pool.acquire() as connection, connection.transaction():
        key = await keys.create_key(
            connection, caller.project_id, wanted.kind, wanted.name, expires_at, created_by=caller.actor
        )
        prefix = key[: keys.PREFIX_LENGTH]
        await audit.write(
            connection,
            caller.actor,
            "key made",
            project_id=caller.project_id,
            target=f"key {prefix}",
            kind=wanted.kind,
            expires_at=expires_at,
        )
    return Response(NewKey(key, prefix, wanted.kind, wanted.name, expires_at), status_code=201, headers=NO_STORE)


@post(
    "/keys/rotate",
    operation_class=operation(Rotation, {"grace_hours": 24}),
    summary="Replace the public key",
    tags=[_TAG],
)
async def rotate_key(request: AnyRequest, body: RawBody) -> Rotated:
    """Replace the public write key that pages carry. The one before goes on for `grace_hours`, so that pages that are
    open or cached send on.
    """
    services = services_of(request)
    caller = await services.access.check(request, "edit")
    hours = (read_form(request, body, _rotation) if body else Rotation()).grace_hours
    until = datetime.now(UTC) + timedelta(hours=hours) if hours else None
    async with services.pool.acquire() as connection, connection.transaction():
        key, replaced = await keys.rotate_public_key(connection, caller.project_id, until, caller.actor)
        await audit.write(
            connection,
            caller.actor,
            "key rotated",
            project_id=caller.project_id,
            target=f"key {key[: keys.PREFIX_LENGTH]}",
            replaced=replaced,
            grace_hours=hours,
        )
    return Rotated(key, replaced, until if replaced else None)


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
        if not await keys.revoke_keys(connection, caller.project_id, prefix):
            raise NotFound(f"no valid key of this project begins with {prefix}: GET /api/v1/keys lists them.")
        await audit.write(connection, caller.actor, "key revoked", project_id=caller.project_id, target=f"key {prefix}")
