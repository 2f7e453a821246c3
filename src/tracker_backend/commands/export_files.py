"""Exports as files that only their owner reads."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from tracker_backend.errors import SettingsError
from tracker_backend.gzip_stream import gzipped


async def write_file(path: Path, texts: AsyncIterator[bytes]) -> None:
    """Write the pieces of a text to a file, gzipped if its name ends in `.gz`. Raises SettingsError."""
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(number, "wb") as out:
            async for text in gzipped(texts) if path.suffix == ".gz" else texts:
                await asyncio.to_thread(out.write, text)
    except OSError as error:
        raise SettingsError(f"{path} cannot be written: {error.strerror}.") from error
