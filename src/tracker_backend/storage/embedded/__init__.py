"""A PostgreSQL of our own, for servers without a DATABASE_URL: found, made, started, adopted, stopped.

`EmbeddedPostgres(data_dir).start()` returns a DSN. Read cluster.py first; the others are one concern each.
"""

from .cluster import EmbeddedPostgres
from .errors import EmbeddedError, FolderInUseError
from .installation import Installation, find_installations

__all__ = ["EmbeddedError", "EmbeddedPostgres", "FolderInUseError", "Installation", "find_installations"]
