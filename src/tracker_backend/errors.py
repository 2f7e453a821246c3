"""The errors a user can meet. The class says status and type, the message says what was wrong and what to do.

`http/problem.py` turns each into RFC 9457 `application/problem+json`; the command line prints the message.
"""

from collections.abc import Mapping
from typing import ClassVar

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tracker"'}  # RFC 9110 15.5.2: every 401 has one


class TrackerError(Exception):
    """Something went wrong inside the server.

    A defect of ours. The answer holds no more; the server's log has the trace.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal-error"
    """Last part of the `type` URI, and the section of `/docs/errors`."""

    def __init__(self, detail: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.title())
        self.detail = detail or self.title()
        self.headers = dict(headers or {})

    @classmethod
    def title(cls) -> str:
        """First line of the class's docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]


class SettingsError(TrackerError):
    """A setting has a value that the server cannot work with.

    Told at the start, on the command line: the message names the variable.
    """

    kind = "settings"


class SchemaError(TrackerError):
    """The database does not have the schema that this server needs.

    Told at the start, on the command line: the message says which command or file helps.
    """

    kind = "schema"


class Malformed(TrackerError):
    """The request cannot be read.

    The body is not JSON, or a parameter is not of its type. Sending the same again fails again.
    """

    status = 400
    kind = "malformed"


class Unauthorized(TrackerError):
    """A valid key is needed.

    Send it as `X-API-Key` or `Authorization: Bearer`; a write key also as `?key=`. The detail says whether the key is
    missing, unknown, expired or revoked.
    """

    status = 401
    kind = "unauthorized"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers=_CHALLENGE)


class LoginRefused(TrackerError):
    """The e-mail and the password do not fit together.

    There is no such account, or it has another password: which of the two, nobody is told. After some attempts the
    answer is `limit-exceeded` for a while.
    """

    status = 401
    kind = "login-refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers=_CHALLENGE)


class Forbidden(TrackerError):
    """This caller may not do that.

    A write key sends, a read key looks, an admin key does all; a person may what their role in the project is for. Or
    the project takes no data, or none from this page; or another site's page uses a login.
    """

    status = 403
    kind = "forbidden"


class NotFound(TrackerError):
    """There is nothing at this address.

    The path is not one of the API's, or what it names is not in the key's project.
    """

    status = 404
    kind = "not-found"


class TooLarge(TrackerError):
    """The request is larger than the server takes.

    As sent, inflated, decoded, or in pixels: the detail says which limit. Split the batch, or scale the image down.
    """

    status = 413
    kind = "too-large"


class Undecodable(TrackerError):
    """The body's content encoding is unknown or broken.

    gzip, deflate, br and zstd are known. The body must be encoded as its header says, and be whole.
    """

    status = 415
    kind = "undecodable"


class Invalid(TrackerError):
    """The request is well-formed but its content is not valid.

    The detail names the place and the value. Nothing of the request was stored.
    """

    status = 422
    kind = "invalid"


class LimitExceeded(TrackerError):
    """Too many requests.

    Wait for the seconds of `Retry-After`. A key's limit is counted for each address, a project's for all.
    """

    status = 429
    kind = "limit-exceeded"

    def __init__(self, detail: str, *, headers: Mapping[str, str]) -> None:
        super().__init__(detail, headers=headers)


class Unavailable(TrackerError):
    """The server cannot take this now; the same request will work later.

    Its queue is full or its database is away. Send it again after `Retry-After` seconds, with the same `batch_id`: if
    it was stored after all, it is not stored twice.
    """

    status = 503
    kind = "unavailable"

    def __init__(self, detail: str = "", *, retry_after: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})
