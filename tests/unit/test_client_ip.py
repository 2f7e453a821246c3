"""The address a request came from."""

from typing import Any, cast

import pytest
from litestar.connection import ASGIConnection

from tracker_backend.http.client_address import client_ip, is_from_proxy, networks, rate_limit_key, truncated

TRUSTED = networks(("10.0.0.0/8", "192.0.2.1", "fd00::/8"))


def asked(peer: str | None, forwarded: str | None) -> str:
    """The address of a request from this peer with this header, by the trusted networks above."""
    lines = [] if forwarded is None else forwarded.split("\n")
    headers = [(b"x-forwarded-for", line.encode()) for line in lines]
    scope: Any = {"type": "http", "headers": headers, "client": None if peer is None else (peer, 1)}
    return client_ip(cast("Any", ASGIConnection(scope)), TRUSTED)


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", None, "203.0.113.9"),
        ("203.0.113.9", "1.2.3.4", "203.0.113.9"),
        ("10.0.0.1", None, "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "5.6.7.8, 1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "5.6.7.8, 1.2.3.4, 10.9.9.9, 192.0.2.1", "1.2.3.4"),
        ("10.0.0.1", "10.0.0.2,10.0.0.3", "10.0.0.2"),
        ("10.0.0.1", " , ,1.2.3.4, ", "1.2.3.4"),
        ("10.0.0.1", "1.2.3.4, unknown", "unknown"),
        ("10.0.0.1", "1.2.3.4:51234", "1.2.3.4"),
        ("10.0.0.1", "5.6.7.8, [2001:db8::7]:51234, 10.0.0.2:80", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "5.6.7.8\n1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "5.6.7.8\n1.2.3.4, 10.9.9.9\n10.9.9.8", "1.2.3.4"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("192.0.2.2", "1.2.3.4", "192.0.2.2"),
        (None, "1.2.3.4", "1.2.3.4"),
        (None, None, ""),
        ("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("::FFFF:10.0.0.1", "1.2.3.4, ::ffff:10.0.0.2", "1.2.3.4"),
        ("::ffff:203.0.113.9", "1.2.3.4", "203.0.113.9"),
    ],
)
def test_headers_are_believed_only_from_trusted_proxies(peer: str | None, forwarded: str | None, address: str) -> None:
    assert asked(peer, forwarded) == address


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("for=1.2.3.4", "1.2.3.4"),
        ("For=1.2.3.4;Proto=https;by=203.0.113.43", "1.2.3.4"),
        ("for=5.6.7.8, for=1.2.3.4;proto=http", "1.2.3.4"),
        ('for=1.2.3.4 , for="10.9.9.9:80";proto=https', "1.2.3.4"),
        ('for="[2001:db8::7]:4711", for=10.0.0.2', "2001:db8::7"),
        ('by="a,b;for=6.6.6.6";for=1.2.3.4', "1.2.3.4"),
        ("for=5.6.7.8\nfor=1.2.3.4", "1.2.3.4"),
        ("for=1.2.3.4, for=_hidden", "_hidden"),
        ("for=1.2.3.4, proto=https", "unknown"),
        ("for=::ffff:1.2.3.4", "1.2.3.4"),
        ('for="1.2.3.4', "10.0.0.1"),
        ("for=1.2.3.4," + "x" * 4096, "10.0.0.1"),
        ('"' * 4000, "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_standard_header_is_read_where_the_other_is_absent(forwarded: str, address: str) -> None:
    headers = [(b"forwarded", line.encode()) for line in forwarded.split("\n")]
    both = [*headers, (b"x-forwarded-for", b"9.9.9.9")]
    for peer, sent, expected in (
        ("10.0.0.1", headers, address),
        ("10.0.0.1", both, "9.9.9.9"),
        ("203.0.113.9", headers, "203.0.113.9"),
    ):
        scope: Any = {"type": "http", "headers": sent, "client": (peer, 1)}
        assert client_ip(cast("Any", ASGIConnection(scope)), TRUSTED) == expected


def test_networks_of_mapped_addresses_are_those_of_ipv4() -> None:
    assert networks(("::ffff:10.0.0.0/104", "::ffff:192.0.2.1")) == networks(("10.0.0.0/8", "192.0.2.1"))


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="proxy"):
        networks(("proxy",))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("unknown", None),
        ("", None),
    ],
)
def test_a_truncated_address_is_that_of_many(address: str, network: str | None) -> None:
    assert truncated(address) == network


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::7", "2001:db8:1:2:3:4:5:6", True),
        ("2001:db8:1:2::7", "2001:db8:1:3::7", False),
        ("::ffff:203.0.113.7", "::ffff:203.0.113.8", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("unknown:one", "unknown:two", False),
    ],
)
def test_limits_count_all_addresses_that_a_visitor_has_as_one(one: str, other: str, is_same: bool) -> None:
    assert (rate_limit_key(one) == rate_limit_key(other)) == is_same


@pytest.mark.parametrize(("peer", "is_proxy"), [("10.0.0.1", True), ("203.0.113.9", False), (None, True)])
def test_only_a_trusted_peer_is_a_proxy(peer: str | None, is_proxy: bool) -> None:
    scope: Any = {"type": "http", "headers": [], "client": None if peer is None else (peer, 1)}
    connection = cast("Any", ASGIConnection(scope))
    assert is_from_proxy(connection, TRUSTED) == is_proxy
    assert not is_from_proxy(connection, [])
