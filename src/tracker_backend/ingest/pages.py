"""Host and path of a page, as rows store them."""

import re
from functools import lru_cache
from urllib.parse import urlsplit

PAGE_LENGTH = 512


def split_page(url: str) -> tuple[str, str]:
    """Host (with port) and path of a URL, without query and fragment, each cut to 512 characters."""
    return _split_page(url) if len(url) <= PAGE_LENGTH else _split(url)


def _split(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an unclosed [ in the host
        return "", re.split("[?#]", url, maxsplit=1)[0][:PAGE_LENGTH]
    host = parts.netloc.rpartition("@")[2].lower()
    return host[:PAGE_LENGTH], (parts.path or "/")[:PAGE_LENGTH]


_split_page = lru_cache(maxsize=4096)(_split)
