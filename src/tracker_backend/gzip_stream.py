"""A stream of text as gzip."""

import asyncio
import zlib
from collections.abc import AsyncIterator

_LEVEL = 5
_OFF_LOOP = 64 * 1024


async def gzipped(texts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same as gzip. The first piece goes out at once, so that who waits for it can begin."""
    packer = zlib.compressobj(_LEVEL, wbits=31)
    is_first = True
    async for text in texts:
        packed = await asyncio.to_thread(packer.compress, text) if len(text) > _OFF_LOOP else packer.compress(text)
        if is_first:
            packed += packer.flush(zlib.Z_SYNC_FLUSH)
            is_first = False
        if packed:
            yield packed
    yield packer.flush()
