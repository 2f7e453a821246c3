"""Decompresses LZ-String texts without blocking the event loop: small ones in a thread, large ones in a process."""

import asyncio
import contextlib
import logging
import sys
from asyncio.subprocess import PIPE, Process

from tracker_backend.dialects.uxcam.lz_worker import ANSWER, OK, QUESTION
from tracker_backend.dialects.uxcam.lzstring import decompress
from tracker_backend.errors import Invalid, TooLarge, Unavailable

# Decompressing LZ-String is pure Python and holds the interpreter lock. 64 KB of text take 40 ms at most, in a thread
# that releases the lock every 5 ms. The 15 MB of a whole body take 2 s, which is too long for a thread.
_IN_THREAD = 64 * 1024
_SECONDS = 8.0  # four times what the slowest body takes on one core of a 2020s server
_BUFFER = 1024 * 1024
_ERRORS = {error.status: error for error in (Invalid, TooLarge)}
_log = logging.getLogger(__name__)


class LzDecoder:
    """Owns one process for large LZ-String texts. The first large text starts it, `close` ends it.

    It is not a ProcessPoolExecutor: that cannot end a call that takes too long (before Python 3.14), and its children
    import the server's main module again.
    """

    def __init__(self, seconds: float = _SECONDS) -> None:
        self._seconds = seconds
        self._turn = asyncio.Lock()
        self._process: Process | None = None
        self._closed = False

    async def decompress(self, text: str, limit: int) -> bytes:
        """The JSON in an LZ-String text, as UTF-8 of at most `limit` bytes (`lzstring.decompress`).

        Small texts are decompressed in a thread, large ones in the process, one at a time. Raises Invalid and TooLarge;
        Unavailable when the process is busy or does not answer within the time limit, or has died.
        """
        if len(text) <= _IN_THREAD:
            return await asyncio.to_thread(decompress, text, limit)
        try:
            async with asyncio.timeout(self._seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise Unavailable("too many large batches wait to be decompressed.", retry_after=10) from None
        try:
            return await self._ask(text.encode(errors="surrogatepass"), limit)
        finally:
            self._turn.release()

    async def close(self) -> None:
        """Ends the process, if there is one. Calls that still wait raise Unavailable."""
        self._closed = True
        self._kill()
        async with self._turn:
            await self._end()

    async def _ask(self, text: bytes, limit: int) -> bytes:
        for _ in range(2):  # the process may have died since its last answer
            if self._closed:
                break
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._exchange(text, limit)
            except TimeoutError:
                await self._end()
                raise Unavailable(f"decompressing took longer than {self._seconds:g} s.", retry_after=10) from None
            except (OSError, asyncio.IncompleteReadError) as error:
                await self._end()
                if not self._closed:
                    _log.warning("the process that decompresses LZ-String died: %r", error)
            except (Invalid, TooLarge):
                raise
            except BaseException:  # the next caller must not read the answer to a cancelled call
                await self._end()
                raise
        raise Unavailable("the process that decompresses is not there.")

    async def _exchange(self, text: bytes, limit: int) -> bytes:
        if self._process is None:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "tracker_backend.dialects.uxcam.lz_worker"),
                stdin=PIPE,
                stdout=PIPE,
                limit=_BUFFER,
            )
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None  # noqa: S101 — asked for above
        assert answers is not None  # noqa: S101
        questions.write(QUESTION.pack(len(text), limit))
        questions.write(text)
        await questions.drain()
        status, size = ANSWER.unpack(await answers.readexactly(ANSWER.size))
        answer = await answers.readexactly(size)
        if status != OK:
            raise _ERRORS[status](answer.decode())
        return answer

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    async def _end(self) -> None:
        self._kill()
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        await process.communicate()  # reads what is left: a process whose pipe is full counts as running
