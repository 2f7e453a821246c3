"""The address a request came from. Headers are believed only from trusted proxies: their leftmost entry is the client's
own writing.
"""

import ipaddress

from litestar.datastructures import Headers

from tracker_backend.http.request import Connection

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FORWARDING = ("x-forwarded-", "x-original-", "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip")
_FORWARDING_ONE = (
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-envoy-external-address",
    "x-proxyuser-ip",
)


def is_forwarded(headers: Headers) -> bool:
    """Whether a header says that a proxy passed the request on."""
    return any(name.startswith(_FORWARDING) or name in _FORWARDING_ONE for name in headers)


def networks(entries: tuple[str, ...]) -> list[Network]:
    """`10.0.0.0/8` and single addresses as networks; ValueError names what is neither."""
    return [ipaddress.ip_network(entry, strict=False) for entry in entries]


def client_ip(connection: Connection, trusted: list[Network]) -> str:
    """The nearest address that is not a trusted proxy; empty over a Unix socket."""
    address = connection.client.host if connection.client else ""
    if not trusted:
        return address
    hops = [hop.strip() for hop in connection.headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    while hops and _is_trusted(address, trusted):
        address = hops.pop()
    return address


def _is_trusted(address: str, trusted: list[Network]) -> bool:
    if not address:
        return True  # a Unix socket: only a proxy on this machine
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
