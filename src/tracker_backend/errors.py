"""The errors a user can meet. The class says status and type, the message says what was wrong and what to do.

`http/problem.py` turns each into RFC 9457 `application/problem+json`; the command line prints the message.
"""

from collections.abc import Mapping
from typing import ClassVar


class TrackerError(Exception):
    """Something went wrong inside the server."""

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal-error"
    """Last part of the `type` URI; `docs/reference/errors.md` has one section for each."""

    def __init__(self, detail: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.title())
        self.detail = detail or self.title()
        self.headers = dict(headers or {})

    @classmethod
    def title(cls) -> str:
        """First line of the class's docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]


class SettingsError(TrackerError):
    """A setting has a value that the server cannot work with."""

    kind = "settings"


class SchemaError(TrackerError):
    """The database does not have the schema that this server needs."""

    kind = "schema"


class Malformed(TrackerError):
    """The request cannot be read."""

    status = 400
    kind = "malformed"


class Unauthorized(TrackerError):
    """A valid key is needed."""

    status = 401
    kind = "unauthorized"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="tracker"'})


class Forbidden(TrackerError):
    """The key does not allow this."""

    status = 403
    kind = "forbidden"


class NotFound(TrackerError):
    """There is nothing at this address."""

    status = 404
    kind = "not-found"


class TooLarge(TrackerError):
    """The request is larger than the server takes."""

    status = 413
    kind = "too-large"


class Undecodable(TrackerError):
    """The body's content encoding is unknown or broken."""

    status = 415
    kind = "undecodable"


class Invalid(TrackerError):
    """The request is well-formed but its content is not valid."""

    status = 422
    kind = "invalid"


class LimitExceeded(TrackerError):
    """Too many requests."""

    status = 429
    kind = "limit-exceeded"

    def __init__(self, detail: str, *, headers: Mapping[str, str]) -> None:
        super().__init__(detail, headers=headers)


class Unavailable(TrackerError):
    """The server cannot take this now; the same request will work later."""

    status = 503
    kind = "unavailable"

    def __init__(self, detail: str = "", *, retry_after: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})
