"""Checks which page a browser's request comes from, by its `Origin`."""

import re
from collections.abc import Iterable

from litestar.datastructures import Headers

_LABELS = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


def is_same_origin(headers: Headers, public_url: str | None = None) -> bool:
    """Whether the request comes from no page of another site: without `Origin`, or with that of its `Host` or of
    `public_url`. WebSockets need this check: browsers let any page open and read them, and send its origin.
    """
    origins, hosts = headers.getall("origin", []), headers.getall("host", [])
    if not origins:
        return True
    if len(origins) != 1 or len(hosts) != 1:
        return False
    origin = origins[0].lower()
    if public_url is not None and origin == "/".join(public_url.lower().split("/", 3)[:3]):
        return True  # a proxy may change the Host
    return origin.partition("://")[2] == hosts[0].lower()


def is_allowed(origin: str | None, allowed: Iterable[str]) -> bool:
    """Whether an origin matches an entry: exactly, or by `*.` in front of the host, which stands for one or more labels
    (`https://*.shop.example` does not match `https://shop.example`).
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
