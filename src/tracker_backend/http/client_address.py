"""The address that a request comes from. Forwarding headers count only from trusted proxies: a client can write any
entry into them.
"""

import ipaddress
import re

from litestar.datastructures import Headers

from tracker_backend.http.request import Connection
from tracker_backend.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WITH_PORT = re.compile(r"([0-9.]+):[0-9]+|\[([0-9A-Fa-f:.]+)\](?::[0-9]+)?")
_FORWARDING = ("x-forwarded-", "x-original-", "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip")
_FORWARDING_ONE = (
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "x-envoy-external-address",
    "x-proxyuser-ip",
)
_LOOPBACK = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})
_LOCAL_HOST = re.compile(r"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]+)?")


class ClientAddresses:
    """The addresses of callers, as the trusted proxies of the settings pass them on."""

    def __init__(self, settings: Settings) -> None:
        self._trusted = networks(settings.trusted_proxies)
        self._has_secure_url = (settings.public_url or "").startswith("https://")

    def of(self, connection: Connection) -> str:
        """The nearest address that is not a trusted proxy; empty over a Unix socket."""
        return client_ip(connection, self._trusted)

    def is_secure(self, connection: Connection) -> bool:
        """Whether the caller's browser uses HTTPS, by the connection, the public URL or a trusted proxy's header."""
        if self._has_secure_url or connection.scope["scheme"] in ("https", "wss"):
            return True
        is_forwarded_https = connection.headers.get("x-forwarded-proto", "").strip().lower() == "https"
        return is_forwarded_https and is_from_proxy(connection, self._trusted)


def networks(entries: tuple[str, ...]) -> list[Network]:
    """`10.0.0.0/8` and single addresses as networks; ValueError names what is neither."""
    return [ipaddress.ip_network(entry, strict=False) for entry in entries]


def client_ip(connection: Connection, trusted: list[Network]) -> str:
    """The nearest address that is not a trusted proxy; empty over a Unix socket."""
    address = peer(connection)
    if not trusted:
        return address
    # Some proxies add a line of their own below the client's: all of them are one list.
    lines = connection.headers.getall("x-forwarded-for", [])
    hops = [hop.strip() for hop in ",".join(lines).split(",") if hop.strip()]
    while hops and _is_trusted(address, trusted):
        hop = hops.pop()
        with_port = _WITH_PORT.fullmatch(hop)
        address = with_port[1] or with_port[2] if with_port else hop
    return address


def peer(connection: Connection) -> str:
    """The other end of the connection; empty over a Unix socket."""
    client = connection.client
    return client.host if client else ""


def rate_limit_key(address: str) -> str:
    """What rate limits count an address as: an IPv6 one as its /64, because one visitor has all addresses of it."""
    if ":" not in address:
        return address
    return _network(address, 32, 64) or address


def is_local(headers: Headers, address: str) -> bool:
    """Whether a request goes from this machine to this machine, without a proxy. The Host must be local too, against
    DNS rebinding; the address must be, because a remote caller can write any Host.
    """
    hosts = headers.getall("host", [])
    return (
        address in _LOOPBACK
        and not _is_forwarded(headers)
        and len(hosts) == 1
        and _LOCAL_HOST.fullmatch(hosts[0].lower()) is not None
    )


def is_from_proxy(connection: Connection, trusted: list[Network]) -> bool:
    """Whether a trusted proxy passed the request on, so that its headers count."""
    return bool(trusted) and _is_trusted(peer(connection), trusted)


def truncated(address: str) -> str | None:
    """The network of an address, which many visitors share: /24 of IPv4, /48 of IPv6. None for another text."""
    return _network(address, 24, 48)


def _is_forwarded(headers: Headers) -> bool:
    """Whether a header says that a proxy passed the request on."""
    return any(name.startswith(_FORWARDING) or name in _FORWARDING_ONE for name in headers)


def _network(address: str, bits_of_v4: int, bits_of_v6: int) -> str | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    return str(ipaddress.ip_network((parsed, bits_of_v4 if parsed.version == 4 else bits_of_v6), strict=False))


def _is_trusted(address: str, trusted: list[Network]) -> bool:
    if not address:
        return True  # a Unix socket: only a proxy on this machine
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
