"""Which rate limits a call counts for: of its key, its project, its route; of addresses whose calls are refused."""

from collections.abc import Callable

from msgspec import Struct

from tracker_backend.http.caller import Caller
from tracker_backend.http.client_address import rate_limit_key
from tracker_backend.http.limits.redis_limits import SharedLimits
from tracker_backend.http.limits.token_bucket import Claim, RateLimits
from tracker_backend.settings import Settings


class RouteLimit(Struct, frozen=True):
    """A rate limit of some routes, for each key and address, beside those of all routes."""

    name: str
    """Routes with the same name share their buckets."""
    per_minute: Callable[[Settings], int]


class RequestLimits:
    """Each method raises LimitExceeded where a bucket has no token left."""

    def __init__(self, settings: Settings, secret: bytes) -> None:
        self._settings = settings
        self._shared = None if settings.redis_url is None else SharedLimits(settings.redis_url, secret)
        self._limits = RateLimits(self._shared)

    async def stop(self) -> None:
        """Ends the connection to Redis."""
        if self._shared is not None:
            await self._shared.stop()

    async def count_request(self, caller: Caller, address: str, extra: RouteLimit | None = None) -> None:
        """Counts a call: of its key or login, or of its address without either; of its project; of its route."""
        settings, chosen, address = self._settings, caller.settings, rate_limit_key(address)
        per_project = settings.limit_project if chosen.limit_project is None else chosen.limit_project
        project = Claim("project", caller.project_id, per_project)
        if caller.is_keyless:
            await self._limits.take(Claim("keyless", address, settings.limit_keyless), project)
            return
        name = (caller.key or caller.actor, address)
        key = Claim("key", name, settings.limit_key if chosen.limit_key is None else chosen.limit_key)
        if extra is None:
            await self._limits.take(key, project)
        else:
            await self._limits.take(Claim(extra.name, name, extra.per_minute(settings)), key, project)

    async def count_attempt(self, address: str, target: str, device: str | None) -> None:
        """Counts an attempt at an account or a link, of the address and of the target.

        `device` is the browser's cookie if it has logged in to the account before. Such browsers are counted apart, so
        that strangers who guess passwords do not lock the owner out.
        """
        limit = self._settings.limit_login
        by_address = ("address", rate_limit_key(address), device is not None)
        await self._limits.take(
            Claim("attempt", by_address, limit), Claim("attempt", ("account", target, device), limit)
        )

    async def count_refusal(self, address: str) -> None:
        """Counts a call that is refused, without a key or with one that does not exist.

        Calls with a valid key never count for it, so that nobody is refused because others at the address guess keys.
        """
        await self._limits.take(Claim("refusal", rate_limit_key(address), self._settings.limit_keyless))
