"""Which page a browser's request comes from, as its `Origin` tells."""

from collections.abc import Iterable

from litestar.datastructures import Headers


def is_same_origin(headers: Headers) -> bool:
    """Not a page of another site. Browsers let any page open a WebSocket and read it, and tell whose it is."""
    origins, hosts = headers.getall("origin", []), headers.getall("host", [])
    if not origins:
        return True
    return len(origins) == len(hosts) == 1 and origins[0].lower().partition("://")[2] == hosts[0].lower()


def is_allowed(origin: str | None, allowed: Iterable[str]) -> bool:
    """Whether an origin is among these: exact ones, or with `*.` in front of the host, which stands for one label or
    more (`https://*.shop.example` is not `https://shop.example`).
    """
    if origin is None:
        return False
    scheme, _, host = origin.lower().partition("://")
    for entry in allowed:
        its_scheme, _, its_host = entry.lower().partition("://")
        if its_scheme != scheme:
            continue
        if host == its_host or (
            its_host.startswith("*.") and host.endswith(its_host[1:]) and len(host) >= len(its_host)
        ):
            return True
    return False
