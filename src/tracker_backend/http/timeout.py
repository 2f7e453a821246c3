"""A request ends after its time: waiting for a connection and the answer's beginning included."""

import asyncio

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from tracker_backend.errors import Unavailable


class RequestTimeout(ASGIMiddleware):
    """503 after so many seconds, unless the answer has begun: a long one may take its time.

    A body that arrives at `body_rate` bytes a second or more may take longer, unless it stops for so many seconds; then
    the time begins at its end.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, seconds: float, body_rate: int) -> None:
        self._seconds = seconds
        self._body_rate = body_rate

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Runs the request within its time."""
        deadline = asyncio.timeout(self._seconds)
        now = asyncio.get_running_loop().time
        began, received, is_complete = now(), 0, False

        async def receive_in_time():
            nonlocal received, is_complete
            message = await receive()
            if message["type"] == "http.request" and not is_complete:
                is_complete = not message["more_body"]
                if not is_complete:
                    received += len(message["body"])
                    deadline.reschedule(self._seconds + min(now(), began + received / self._body_rate))
                elif received:  # most bodies come in one piece
                    deadline.reschedule(now() + self._seconds)
            return message

        try:
            async with deadline:

                async def begin(message: Message) -> None:
                    deadline.reschedule(None)
                    await send(message)

                await next_app(scope, receive_in_time, begin)
        except TimeoutError:
            if not deadline.expired():
                raise
            if received and not is_complete:
                raise Unavailable(
                    f"the body arrived too slowly: {received} bytes in {now() - began:.0f} seconds, less than"
                    f" {self._body_rate} a second: send smaller batches."
                ) from None
            raise Unavailable(f"this took longer than {self._seconds} seconds: try again, or ask for less.") from None
