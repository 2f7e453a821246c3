"""A request ends after its time: reading its body, waiting for a connection and the answer's beginning included."""

import asyncio

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from tracker_backend.errors import Unavailable


class RequestTimeout(ASGIMiddleware):
    """503 after so many seconds, unless the answer has begun: a long one may take its time."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Runs the request within its time."""
        deadline = asyncio.timeout(self._seconds)
        try:
            async with deadline:

                async def begin(message: Message) -> None:
                    deadline.reschedule(None)
                    await send(message)

                await next_app(scope, receive, begin)
        except TimeoutError:
            if not deadline.expired():
                raise
            raise Unavailable(f"this took longer than {self._seconds} seconds: try again, or ask for less.") from None
