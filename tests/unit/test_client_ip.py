"""The address a request came from."""

from typing import Any, cast

import pytest
from litestar.connection import ASGIConnection

from tracker_backend.http.client_ip import client_ip, networks

TRUSTED = networks(("10.0.0.0/8", "192.0.2.1", "fd00::/8"))


def asked(peer: str | None, forwarded: str | None) -> str:
    """The address of a request from this peer with this header, by the trusted networks above."""
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
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
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("192.0.2.2", "1.2.3.4", "192.0.2.2"),
        (None, "1.2.3.4", "1.2.3.4"),
        (None, None, ""),
    ],
)
def test_headers_are_believed_only_from_trusted_proxies(peer: str | None, forwarded: str | None, address: str) -> None:
    assert asked(peer, forwarded) == address


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="proxy"):
        networks(("proxy",))
