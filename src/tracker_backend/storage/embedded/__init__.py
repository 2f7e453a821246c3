"""The embedded PostgreSQL, for servers without a DATABASE_URL: find an installation, create, start, adopt, stop.

`EmbeddedPostgres(data_dir).start()` returns a DSN. Read cluster.py first; each other module has one concern.
"""

from .cluster import EmbeddedPostgres
from .errors import EmbeddedError, FolderInUseError
from .installation import Installation, find_installations

__all__ = ["EmbeddedError", "EmbeddedPostgres", "FolderInUseError", "Installation", "find_installations"]
