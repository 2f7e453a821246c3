"""Who watches a session that is deleted is told so."""

import uuid

import httpx

from tests.http.api import API, track
from tracker_backend.accounts import keys
from tracker_backend.http.services import Services
from tracker_backend.live.subscription import GONE, Recheck


async def test_a_subscriber_of_a_deleted_session_is_ended_and_others_go_on(
    client: httpx.AsyncClient, services: Services
) -> None:
    erased, other = await track(client), await track(client)
    hub = services.hub
    subscription, staying = [hub.subscribe((1, uuid.UUID(session))) for session in (erased, other)]
    hub.connection_changed()  # as when other processes were not heard for a while: it looks into the database
    assert isinstance(await subscription.next(), Recheck)
    assert isinstance(await staying.next(), Recheck)
    admin = {"x-api-key": await keys.create_key(services.pool, 1, "admin")}
    assert (await client.delete(f"{API}/sessions/{erased}", headers=admin)).status_code == 204
    hub.connection_changed()
    ended = await subscription.until_ended()
    assert (ended.code, ended.reason) == (GONE, "this session was deleted.")
    assert staying.ended is None
    hub.unsubscribe(subscription)
    hub.unsubscribe(staying)
