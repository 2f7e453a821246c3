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
DEVICE_NAMES = "tracker_device_"
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
        value = self._device_signer(email).sign(device).decode()
        return _cookie(self.device_name(email), value, DEVICE_DAYS, secure=secure)

    def device_in(self, header: str | None, email: str) -> str | None:
        """What tells a browser that has logged in to this account before from all others; None for a stranger."""
        return _signed(header, self.device_name(email), self._device_signer(email))

    def device_name(self, email: str) -> str:
        """What the cookie of this account is called: several people may log in with one browser."""
        return DEVICE_NAMES + self._hmac(b"device " + _bytes(email))[:8]

    def csrf_token(self, token: str) -> str:
        """What a page of ours sends as `X-CSRF-Token` with every write: no other site can read it."""
        return self._hmac(b"csrf " + token.encode())

    def _device_signer(self, email: str) -> Signer:
        return Signer(self._secret, salt=b"tracker device " + _bytes(email), digest_method=hashlib.sha256)

    def _hmac(self, text: bytes) -> str:
        return hmac.new(self._secret, text, "sha256").hexdigest()


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


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
