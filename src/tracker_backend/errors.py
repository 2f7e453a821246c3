"""The errors that users and operators meet: the class gives status and kind, the message cause and remedy.

`http/problem.py` answers each as RFC 9457 `application/problem+json`; the command line prints the message. The
docstrings are the page `/docs/errors` and the sections of docs/reference/errors.md: first the title, then the causes,
then what to do.
"""

from collections.abc import Mapping
from typing import ClassVar

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="tracker"'}  # RFC 9110 15.5.2: every 401 must have one


class TrackerError(Exception):
    """The server failed because of a defect.

    The answer holds no details. The server's log has the stack trace.

    What to do: report the defect with the log. The same request can be sent again later, with the same `batch_id`.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal-error"
    """The last part of the `type` URI, and the name of the section in `/docs/errors`."""

    def __init__(self, detail: str = "", *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail or self.title())
        self.detail = detail or self.title()
        self.headers = dict(headers or {})

    @classmethod
    def title(cls) -> str:
        """Return the first line of the class's docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]


class SettingsError(TrackerError):
    """A setting has a value that the server cannot work with.

    Or the port is in use, the database cannot be reached, or an argument of a command does not fit. The command prints
    one line and ends with status 1.

    What to do: correct the variable that the message names.
    """

    kind = "settings"


class SchemaError(TrackerError):
    """The database does not have the schema that this server needs.

    The command prints one line and ends with status 1.

    What to do: run the command, or restore the file, that the message names.
    """

    kind = "schema"


class Malformed(TrackerError):
    """The request cannot be read.

    The body is not JSON or is nested too deeply; a parameter is not of its type; or `Content-Type: application/json` is
    missing where it is required: login, one-time links, and the management of people, keys, projects and erasures.

    What to do: read `detail`. It names the place where the JSON ends, or the type that was sent. The same request fails
    again.
    """

    status = 400
    kind = "malformed"


class Unauthorized(TrackerError):
    """A valid key or login is required.

    No key was sent; or the key is unknown, expired or revoked; or a secret key was sent in the URL or the body; or the
    login has ended; or a ticket was used before. `detail` says which of these it is.

    What to do: send a key as `X-API-Key` or as `Authorization: Bearer`; a write key also as `?key=`. Refused calls
    count against a rate limit of their address, which calls with a valid key do not share.
    """

    status = 401
    kind = "unauthorized"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers=_CHALLENGE)


class LoginRefused(TrackerError):
    """The e-mail and the password do not match.

    There is no such account, or it has another password. The answer does not say which, and both cases take the same
    time. After too many attempts the answer is `limit-exceeded`.

    What to do: enter both again. The operator can create a link that sets a new password:
    `tracker-backend user password-link`.
    """

    status = 401
    kind = "login-refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers=_CHALLENGE)


class Forbidden(TrackerError):
    """The caller is known, but may not do this.

    The key has another kind or another project; the person's role does not allow it; the project is archived; or the
    request comes from a page that may not send it. `detail` says which of these it is.

    What to do: use a key or a login that may do it. A write key sends, a read key reads, an admin key does both.
    """

    status = 403
    kind = "forbidden"


class NotFound(TrackerError):
    """Nothing exists at this address.

    The API has no such path; or the session, screenshot, person, key, invitation or erasure does not exist in the
    caller's project; or a one-time link is unknown, used or expired. A session id that is not a UUID is looked up as
    the id that the client gave the session.

    What to do: check the project of the key, and `?project_id=` for a person. Rows past retention are gone.
    """

    status = 404
    kind = "not-found"


class Conflict(TrackerError):
    """Another batch is stored under the name of this one.

    The session has a batch of the same kind (events, or rrweb events) with the same `batch_id` and other content.
    Nothing of this batch was stored, and nothing of the other one was changed. A batch with the same content is a
    repeat, which is answered like the first.

    What to do: send this batch under a name of its own, such as a random UUID. The same request fails again.
    """

    status = 409
    kind = "conflict"


class TooLarge(TrackerError):
    """The request is larger than the server accepts.

    The body is larger than `TRACKER_MAX_BODY`, as sent or inflated; or the screenshot is larger than
    `TRACKER_MAX_IMAGE` or `TRACKER_MAX_IMAGE_PIXELS`; or the rrweb events are larger than `TRACKER_MAX_RECORDING`.

    What to do: send smaller batches, or a smaller image.
    """

    status = 413
    kind = "too-large"


class Undecodable(TrackerError):
    """The content encoding of the body is unknown or broken.

    `Content-Encoding` is none of gzip, deflate, br and zstd; or the body is not encoded as the header says; or it ends
    too early.

    What to do: compress the whole body once, or send it without compression.
    """

    status = 415
    kind = "undecodable"


class Invalid(TrackerError):
    """The request is well-formed but its content is not valid.

    A field is missing, has an invalid value, or has a value that conflicts with another setting. Nothing of the request
    was stored.

    What to do: read `detail`. It names the place (`$.events[3].viewport_x`) and the value.
    """

    status = 422
    kind = "invalid"


class LimitExceeded(TrackerError):
    """Too many requests.

    The rate limit of an address without a key or with a wrong one (`TRACKER_LIMIT_KEYLESS`), of a key and address
    (`TRACKER_LIMIT_KEY`), of a project (`TRACKER_LIMIT_PROJECT`) or of logins (`TRACKER_LIMIT_LOGIN`) is reached. A
    project can have limits of its own. The answer has `Retry-After` and the `RateLimit-` headers.

    What to do: wait for `Retry-After` seconds, and send larger batches less often.
    """

    status = 429
    kind = "limit-exceeded"

    def __init__(self, detail: str, *, headers: Mapping[str, str]) -> None:
        super().__init__(detail, headers=headers)


class HeadersTooLarge(TrackerError):
    """The headers of the request are larger than the server accepts.

    The request line and the headers have more than 64 KiB, or there are more than 100 headers. The connection is
    closed after the answer.

    What to do: send fewer or shorter headers. In a browser, many cookies of the same site are the usual cause.
    """

    status = 431
    kind = "headers-too-large"


class Unavailable(TrackerError):
    """The server cannot take this request now; the same request will work later.

    The queue for the database is full; the database is unreachable or slow; the server holds as many bytes of request
    bodies as it may (`TRACKER_BODY_BYTES`); the body arrives too slowly (`TRACKER_BODY_RATE`); or the server is
    stopping. The answer has `Retry-After`.

    What to do: send the same batch again after `Retry-After` seconds, with the same `batch_id`. If it was stored
    after all, it is not stored twice.
    """

    status = 503
    kind = "unavailable"

    def __init__(self, detail: str = "", *, retry_after: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})
