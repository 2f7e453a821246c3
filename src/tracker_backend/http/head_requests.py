"""HEAD wherever there is GET: the same status and headers, without a body."""

import asyncio

from litestar.types import ASGIApp, Message, Receive, Scope, Send


def answer_head(app: ASGIApp) -> ASGIApp:
    """The app, to which a HEAD is a GET whose client goes away as soon as the headers are sent: no stream goes on."""

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await app(scope, receive, send)
            return
        begun = asyncio.Event()

        async def receive_until_begun() -> Message:
            waits = [asyncio.ensure_future(receive()), asyncio.ensure_future(begun.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waits:
                    each.cancel()
            return {"type": "http.disconnect"} if begun.is_set() else await waits[0]  # type: ignore[return-value]

        async def send_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["method"] = "HEAD"  # the server looks at it, so as not to wait for a body
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                begun.set()

        scope["method"] = "GET"
        await app(scope, receive_until_begun, send_head)

    return handle
