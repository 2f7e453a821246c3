"""The connection of a client, within bounds while a request's headers arrive. uvicorn's own has none.

| what | bound | then |
| --- | --- | --- |
| the request line and all headers | 64 KiB, 100 headers | 431 |
| the time that they take, and that an unused connection waits for them | `TRACKER_HEADER_TIMEOUT` | closed |
| chunk sizes, extensions and trailers of a body | 64 KiB, and 8 bytes for each byte of the body | closed |
| the rest of a body that was answered before its end | 10 seconds | closed |
| requests that wait for the answers to earlier ones (pipelining) | 16 | closed after these |
"""

from asyncio import TimerHandle, Transport
from functools import cache
from typing import cast

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from tracker_backend.errors import HeadersTooLarge, Malformed, TrackerError
from tracker_backend.metrics import REFUSED
from tracker_backend.settings import load

MOST_BYTES = 64 * 1024
MOST_HEADERS = 100
MOST_WAITING = 16
_OVERHEAD = 8
_DRAIN_SECONDS = 10
_DRAIN_PAUSE = 0.05  # after 256 KiB: 5 MB a second, so that the largest body is read in time
_LINGER_SECONDS = 2  # for a client that still sends: it reads the answer before the connection is reset


class BoundedConnection(HttpToolsProtocol):
    """uvicorn's connection, which counts what it reads."""

    _timer: TimerHandle | None = None
    _is_between = True  # no request is being read
    _in_head = False
    _is_refused = False
    _begun = 0  # requests so far
    _headers = 0
    _overhead = 0  # bytes of the request that are not its body's
    _body = 0

    def connection_made(self, transport: Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Waits for the first request."""
        super().connection_made(transport)
        self._start_timer(_header_seconds())

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends the timer."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads bytes, at most as many at once as the headers may have."""
        while data and not self._is_refused and not self.transport.is_closing():
            room = MOST_BYTES - self._overhead if self._in_head else MOST_BYTES if self._is_between else len(data)
            if room <= 0:
                self._refuse(HeadersTooLarge(f"the headers are longer than {MOST_BYTES} bytes: send fewer or shorter."))
                return
            if not self._feed(data if len(data) <= room else data[:room]):
                return
            data = data[room:]

    def _feed(self, data: bytes) -> bool:
        """Reads bytes; False where the connection is not HTTP any more."""
        self._unset_keepalive_if_required()
        was_between, body, begun_before = self._is_between, self._body, self._begun
        parser = cast("httptools.HttpRequestParser", self.parser)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if not self._should_upgrade():
                self._unsupported_upgrade_warning()
                return True
            self.handle_websocket_upgrade()
            return False
        except httptools.HttpParserError as error:
            cause = error.__context__ or error.__cause__
            self._refuse(cause if isinstance(cause, TrackerError) else Malformed("this is not a request of HTTP/1.1."))
            return False
        begun = self._begun - begun_before
        if begun == 1 and was_between:
            self._overhead += len(data) - self._body
        elif begun == 0:
            self._overhead += len(data) - (self._body - body)
        if not self._in_head and not self._is_between and self._overhead > 2 * MOST_BYTES + _OVERHEAD * self._body:
            self._refuse(HeadersTooLarge("the chunks of the body hold more than its bytes: send larger chunks."))
            return False
        if self._timer is None and (self._in_head or (self._is_between and self._is_idle())):
            self._start_timer(_header_seconds())
        return True

    def on_message_begin(self) -> None:
        """Begins to count a request."""
        if len(self.pipeline) >= MOST_WAITING:
            raise HeadersTooLarge(f"more than {MOST_WAITING} requests wait for an answer: wait for it.")
        self._is_between, self._in_head = False, True
        self._begun += 1
        self._headers = self._overhead = self._body = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Counts a header, or a trailer after the body."""
        self._headers += 1
        if self._headers > MOST_HEADERS:
            raise HeadersTooLarge(f"the request has more than {MOST_HEADERS} headers: send fewer.")
        if self._in_head:  # as uvicorn does it: a call for each header would take a fifth of the connection's time
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Ends the wait for the headers."""
        self._in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Counts bytes of the body. What comes after the answer is read slowly, so that others do not wait for it."""
        self._body += len(body)
        super().on_body(body)
        if self._is_idle() and not self.flow.read_paused:
            self.flow.pause_reading()
            self.loop.call_later(_DRAIN_PAUSE, self._go_on_reading)

    def on_message_complete(self) -> None:
        """Ends the wait for a body that was answered before its end."""
        self._is_between = True
        super().on_message_complete()
        if self._timer is not None and self._is_idle():
            self._start_timer(self.timeout_keep_alive)

    def on_response_complete(self) -> None:
        """Waits for the rest of the body, but not for long."""
        super().on_response_complete()
        if not self._is_between and not self._in_head and not self.pipeline and not self.transport.is_closing():
            self._start_timer(_DRAIN_SECONDS)

    def _refuse(self, error: TrackerError) -> None:
        """Answers with the error where no answer is under way, and reads nothing more."""
        self._is_refused = True
        REFUSED.labels(error.kind).inc()
        if not self._is_idle() and (self._in_head or self._is_between):
            # Earlier requests are answered first; the last one ends the connection.
            last = self.pipeline[0][0] if self.pipeline else self.cycle
            last.keep_alive = False
            self.flow.pause_reading()
            return
        if not self._is_idle():
            self.transport.close()  # it is the body of the request that is being answered
            return
        body = msgspec.json.encode(
            {
                "type": f"/docs/errors#{error.kind}",
                "title": error.title(),
                "status": error.status,
                "detail": error.detail,
            }
        )
        self.transport.write(
            STATUS_LINE[error.status]
            + b"content-type: application/problem+json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
            + body
        )
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._start_timer(_LINGER_SECONDS)

    def _go_on_reading(self) -> None:
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _is_idle(self) -> bool:
        """Whether no request is being answered."""
        cycle = cast("object", self.cycle)  # None before the first request
        return cycle is None or self.cycle.response_complete

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self._end)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if self._is_idle():
            self.transport.close()
        else:
            self._start_timer(_header_seconds())  # an earlier request is still being answered


@cache
def _header_seconds() -> int:
    """The setting. Worker processes are given a class, not an object with settings."""
    return load().header_timeout
