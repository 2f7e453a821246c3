"""Two cookies. The login cookie holds a random token, signed, so that a made-up one costs no look-up. The device cookie
marks a browser that has logged in before: its attempts are counted apart from strangers' (OWASP: device cookies).
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
        """The cookie that removes the login from the browser."""
        return _cookie(NAME, "", 0, secure=secure)

    def token_in(self, header: str | None) -> str | None:
        """The login token in a `Cookie` header; None without one whose signature is valid."""
        return _signed(header, NAME, self._signer)

    def make_device(self, email: str, header: str | None, *, secure: bool) -> Cookie:
        """The device cookie of a browser that has just logged in to this account.

        An existing value is kept: a new one at each login would get attempts of its own.
        """
        device = self.device_in(header, email) or secrets.token_urlsafe(16)
        value = self._device_signer(email).sign(device).decode()
        return _cookie(self.device_name(email), value, DEVICE_DAYS, secure=secure)

    def device_in(self, header: str | None, email: str) -> str | None:
        """The value of this account's device cookie; None for a browser that has not logged in to it before."""
        return _signed(header, self.device_name(email), self._device_signer(email))

    def device_name(self, email: str) -> str:
        """The name of this account's device cookie: several people may log in with one browser."""
        return DEVICE_NAMES + self._hmac(b"device " + _bytes(email))[:8]

    def csrf_token(self, token: str) -> str:
        """The value of `X-CSRF-Token` in the writes of this server's pages: no other site can read it."""
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
    """The first value of this name in a `Cookie` header whose signature is valid."""
    if not header or wanted not in header:
        return None
    # Not by the library's parser: it stops at the first invalid cookie, even at one of another program.
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            try:
                return signer.unsign(value).decode()
            except (BadSignature, UnicodeError):
                continue
    return None
