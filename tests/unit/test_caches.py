"""Every cache of the process is bounded in entries and in the length of its keys, which clients choose."""

import ast
from pathlib import Path

import tracker_backend

BOUNDED = {
    "accounts/project_settings.py": "1,024 settings that owners of projects write",
    "http/assets.py": "64 files of the server's own folders",
    "http/auth/authentication.py": "1,024 query strings of 512 bytes",
    "http/auth/login_sessions.py": "10,000 digests of 32 bytes (TtlCache)",
    "http/limits/redis_limits.py": "see there: pairs of a key's number and an address",
    "http/limits/token_bucket.py": "see there: pairs of a key's number and an address",
    "http/ttl_cache.py": "10,000 entries, of which each user says what its keys are",
    "http_connection.py": "one value, of no arguments",
    "ingest/agent.py": "4,096 headers of 1,024 characters",
    "ingest/batch_identity.py": "256 settings that owners of projects write",
    "ingest/odd_values.py": "64 types of ours",
    "ingest/page_limit.py": "200,000 numbers",
    "ingest/pages.py": "4,096 addresses of 512 characters",
    "live/reader.py": "batches that were committed; its own bound",
    "masking/form_fields.py": "`masking.caching` says how many and how long",
    "masking/html_fields.py": "`masking.caching` says how many and how long",
    "masking/rules.py": "`masking.caching` says how many and how long; 64 rules of projects",
    "masking/targets.py": "`masking.caching` says how many and how long",
}


def test_each_cache_has_a_bound() -> None:
    root = Path(tracker_backend.__file__).parent
    names = {"lru_cache", "cache", "TtlCache", "OrderedDict", "WeakValueDictionary"}
    using = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and any(name.name in names for name in node.names)
    }
    assert using == BOUNDED.keys()
