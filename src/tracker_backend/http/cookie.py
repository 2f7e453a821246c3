"""Cookies of browsers: of one that is logged in, a random token, signed, so that a made-up one costs no look-up; and of
one that was before, by which its attempts are told from a stranger's (OWASP: device cookies).
"""

import hashlib
import hmac
import secrets

from itsdangerous import BadSignature, Signer
from litestar.datastructures import Cookie

NAME = "tracker_login"
LIFE_DAYS = 14
DEVICE_NAME = "tracker_device"
DEVICE_DAYS = 365


class Cookies:
    """Makes and reads cookies with the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._signer = Signer(secret, salt="tracker login", digest_method=hashlib.sha256)
        self._secret = secret

    def make(self, *, secure: bool) -> tuple[str, Cookie]:
        """A new token and the cookie that carries it."""
        token = secrets.token_urlsafe(32)
        return token, _cookie(NAME, self._signer.sign(token).decode(), LIFE_DAYS, secure=secure)

    def end(self, *, secure: bool) -> Cookie:
        """The cookie that makes a browser forget."""
        return _cookie(NAME, "", 0, secure=secure)

    def token_in(self, header: str | None) -> str | None:
        """The token of a `Cookie` header, if one of ours is in it and its signature holds."""
        return _signed(header, NAME, self._signer)

    def make_device(self, email: str, header: str | None, *, secure: bool) -> Cookie:
        """The cookie of a browser that has just logged in to this account. It keeps the name that it has: a new one at
        each login would have attempts of its own.
        """
        device = self.device_in(header, email) or secrets.token_urlsafe(16)
        return _cookie(DEVICE_NAME, self._device_signer(email).sign(device).decode(), DEVICE_DAYS, secure=secure)

    def device_in(self, header: str | None, email: str) -> str | None:
        """What tells a browser that has logged in to this account before from all others; None for a stranger."""
        return _signed(header, DEVICE_NAME, self._device_signer(email))

    def csrf_token(self, token: str) -> str:
        """What a page of ours sends as `X-CSRF-Token` with every write: no other site can read it."""
        return hmac.new(self._secret, b"csrf " + token.encode(), "sha256").hexdigest()

    def _device_signer(self, email: str) -> Signer:
        salt = b"tracker device " + email.encode(errors="surrogatepass")
        return Signer(self._secret, salt=salt, digest_method=hashlib.sha256)


def _cookie(name: str, value: str, days: int, *, secure: bool) -> Cookie:
    seconds = days * 86_400
    return Cookie(name, value=value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=secure)


def _signed(header: str | None, wanted: str, signer: Signer) -> str | None:
    """The first value of this name in a `Cookie` header whose signature holds."""
    if not header or wanted not in header:
        return None
    # By hand: the library's parser gives up at the first value of somebody else's that it does not like.
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            try:
                return signer.unsign(value).decode()
            except (BadSignature, UnicodeError):
                continue
    return None
