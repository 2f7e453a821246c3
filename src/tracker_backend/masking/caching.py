"""Bounds of the caches of what masking finds out about short texts. A cache is `lru_cache(maxsize=ENTRIES)` of a
function whose texts have at most `CACHED` characters together; longer ones are not cached.

The texts are untrusted, so a cache is full of the longest that it takes: 2,048 keys of 512 characters of 4 bytes, each
with a result of the same size, are 8 MB. There are seven such caches in a process, for all projects.
"""

CACHED = 512
"""Longer texts are seldom the same twice."""
ENTRIES = 2048
