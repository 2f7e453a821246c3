"""The cookie of a browser that is logged in: a random token, signed, so that a made-up one costs no look-up."""

import hashlib
import hmac
import secrets

from itsdangerous import BadSignature, Signer
from litestar.datastructures import Cookie

NAME = "tracker_login"
LIFE_DAYS = 14


class Cookies:
    """Makes and reads cookies with the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._signer = Signer(secret, salt="tracker login", digest_method=hashlib.sha256)
        self._secret = secret

    def make(self, *, secure: bool) -> tuple[str, Cookie]:
        """A new token and the cookie that carries it."""
        token = secrets.token_urlsafe(32)
        return token, self._cookie(self._signer.sign(token).decode(), LIFE_DAYS * 86_400, secure=secure)

    def end(self, *, secure: bool) -> Cookie:
        """The cookie that makes a browser forget."""
        return self._cookie("", 0, secure=secure)

    def token_in(self, header: str | None) -> str | None:
        """The token of a `Cookie` header, if one of ours is in it and its signature holds."""
        if not header or NAME not in header:
            return None
        # By hand: the library's parser gives up at the first value of somebody else's that it does not like.
        for part in header.split(";"):
            name, _, value = part.strip().partition("=")
            if name == NAME:
                try:
                    return self._signer.unsign(value).decode()
                except (BadSignature, UnicodeError):
                    continue
        return None

    def csrf_token(self, token: str) -> str:
        """What a page of ours sends as `X-CSRF-Token` with every write: no other site can read it."""
        return hmac.new(self._secret, b"csrf " + token.encode(), "sha256").hexdigest()

    @staticmethod
    def _cookie(value: str, seconds: int, *, secure: bool) -> Cookie:
        return Cookie(NAME, value=value, max_age=seconds, path="/", httponly=True, samesite="lax", secure=secure)
