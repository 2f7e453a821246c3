"""Which page a browser's request comes from, as its `Origin` tells."""

import re
from collections.abc import Iterable

from litestar.datastructures import Headers

_LABELS = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def is_same_origin(headers: Headers, public_url: str | None = None) -> bool:
    """Not a page of another site: its origin is the `Host` that was called, or that of `public_url`. Browsers let any
    page open a WebSocket and read it, and tell whose it is.
    """
    origins, hosts = headers.getall("origin", []), headers.getall("host", [])
    if not origins:
        return True
    if len(origins) != 1 or len(hosts) != 1:
        return False
    origin = origins[0].lower()
    if public_url is not None and origin == "/".join(public_url.lower().split("/", 3)[:3]):
        return True  # a proxy may pass on another Host
    return origin.partition("://")[2] == hosts[0].lower()


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
        if its_host.startswith("*."):
            if host.endswith(its_host[1:]) and _LABELS.fullmatch(host.removesuffix(its_host[1:])):
                return True
        elif host == its_host:
            return True
    return False
