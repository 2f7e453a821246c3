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
# Headers that only proxies add, by the beginnings and ends of their names: of the product, or for a client's address.
_FORWARDING_BEGINS = (
    *("forwarded", "x-forwarded", "x-original-", "x-proxy", "x-envoy-", "proxy-connection", "cdn-", "via"),
    *("akamai-", "cf-", "cloudfront-", "fastly-", "fly-", "incap-", "x-akamai-", "x-amz-", "x-amzn-", "x-appengine-"),
    *("x-arr-", "x-azure-", "x-cloud-trace-", "x-nf-", "x-sucuri-", "x-vercel-"),
)
_FORWARDING_ENDS = (
    *("client-ip", "clientip", "connecting-ip", "connection-ip", "real-ip", "remote-ip", "remote-addr", "user-ip"),
    *("-via", "forwarded-for"),
)
_MOST_FORWARDED = 4096  # bytes of `Forwarded`; a hop takes about 100
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
        scheme = connection.headers.get("x-forwarded-proto")
        if scheme is None:
            hops = _forwarded(connection.headers)
            scheme = hops[-1].get("proto", "") if hops else ""
        return scheme.strip().lower() == "https" and is_from_proxy(connection, self._trusted)


def networks(entries: tuple[str, ...]) -> list[Network]:
    """`10.0.0.0/8` and single addresses as networks; ValueError names what is neither.

    `::ffff:10.0.0.0/104` is `10.0.0.0/8`: a socket for both versions of IP names IPv4 addresses so.
    """
    return [_plain_network(ipaddress.ip_network(entry, strict=False)) for entry in entries]


def client_ip(connection: Connection, trusted: list[Network]) -> str:
    """The nearest address that is not a trusted proxy; empty over a Unix socket.

    `X-Forwarded-For` goes before `Forwarded` (RFC 7239), which counts only where the other is absent.
    """
    address = peer(connection)
    if not trusted or not _is_trusted(address, trusted):
        return address
    hops = _forwarded_for(connection.headers)
    while hops and _is_trusted(address, trusted):
        hop = hops.pop()
        with_port = _WITH_PORT.fullmatch(hop)
        address = _plain(with_port[1] or with_port[2] if with_port else hop)
    return address


def peer(connection: Connection) -> str:
    """The other end of the connection; empty over a Unix socket."""
    client = connection.client
    return _plain(client.host) if client else ""


def rate_limit_key(address: str) -> str:
    """What rate limits count an address as: an IPv6 one as its /64, because one visitor has all addresses of it."""
    address = _plain(address)
    if ":" not in address:
        return address
    return _network(address, 32, 64) or address


def is_local(connection: Connection, address: str) -> bool:
    """Whether a request goes from this machine to this machine, without a proxy. The Host must be local too, against
    DNS rebinding; the address must be, because a remote caller can write any Host. HTTP/1.0 is what a proxy without
    settings sends (nginx's `proxy_pass`), with a local Host and no header of its own.
    """
    headers = connection.headers
    hosts = headers.getall("host", [])
    return (
        address in _LOOPBACK
        and connection.scope["http_version"] != "1.0"
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
    return any(name.startswith(_FORWARDING_BEGINS) or name.endswith(_FORWARDING_ENDS) for name in headers)


def _forwarded_for(headers: Headers) -> list[str]:
    """The addresses that proxies have passed on, the nearest one last."""
    # Some proxies add a line of their own below the client's: all of them are one list.
    lines = headers.getall("x-forwarded-for", [])
    if lines:
        return [hop.strip() for hop in ",".join(lines).split(",") if hop.strip()]
    return [hop.get("for", "unknown") for hop in _forwarded(headers)]


def _forwarded(headers: Headers) -> list[dict[str, str]]:
    """The hops of `Forwarded`, each a dict of its parameters, the nearest one last. Nothing of a header that is longer
    than 4096 bytes, or in which a quoted text does not end.
    """
    text = ",".join(headers.getall("forwarded", []))
    if not text or len(text) > _MOST_FORWARDED:
        return []
    hops: list[dict[str, str]] = [{}]
    for index, part in enumerate(text.split('"')):
        if index % 2:  # within quotes
            if not hops[-1]:
                return []
            name, _ = hops[-1].popitem()
            hops[-1][name] = part
            continue
        for separator, pair in _pairs(part):
            if separator == ",":
                hops.append({})
            name, equals, value = pair.partition("=")
            if equals:
                hops[-1][name.strip().lower()] = value.strip()
    return [hop for hop in hops if hop] if text.count('"') % 2 == 0 else []


def _pairs(text: str) -> list[tuple[str, str]]:
    """`a=1;b=2, c=3` as the pairs with what stands in front of each."""
    found: list[tuple[str, str]] = []
    for index, hop in enumerate(text.split(",")):
        found += [("," if index and not number else ";", pair) for number, pair in enumerate(hop.split(";"))]
    return found


def _plain(address: str) -> str:
    """`::ffff:10.0.0.5` as `10.0.0.5`."""
    return address[7:] if address[:7].lower() == "::ffff:" and "." in address else address


def _plain_network(network: Network) -> Network:
    mapped = ipaddress.IPv6Address(network.network_address).ipv4_mapped if network.version == 6 else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - 96))


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
