"""Gzip compression of a stream."""

import asyncio
import zlib
from collections.abc import AsyncIterator

_LEVEL = 5
_THREAD_BYTES = 64 * 1024  # larger texts are compressed in a thread


async def gzipped(texts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Compress texts as gzip. The first text is flushed at once, so that the client gets it without delay."""
    compressor = zlib.compressobj(_LEVEL, wbits=31)
    is_first = True
    async for text in texts:
        compressed = (
            await asyncio.to_thread(compressor.compress, text)
            if len(text) > _THREAD_BYTES
            else compressor.compress(text)
        )
        if is_first:
            compressed += compressor.flush(zlib.Z_SYNC_FLUSH)
            is_first = False
        if compressed:
            yield compressed
    yield compressor.flush()
