"""The configuration of the embedded PostgreSQL."""

import os
from collections.abc import Mapping

from .installation import Installation

MAX_CONNECTIONS = 120
PORT = 5432  # part of the socket's name; there is no TCP

_SETTINGS = {
    # Reachable over one Unix socket, and only with the password (see create.py).
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": str(MAX_CONNECTIONS),
    "timezone": "UTC",
    # A batch is acknowledged when its transaction is durable.
    "synchronous_commit": "on",
    # The database shares the machine with the server. Writes are COPY, which fills the WAL.
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",  # lz4 and zstd are not in every build, and another build must read this WAL
    "max_worker_processes": "32",
    "jit": "off",  # reads take milliseconds; compiling them takes longer
    # One file per weekday, overwritten after a week, without statements and details, which contain visitors' data.
    "logging_collector": "on",
    "log_directory": "../log",
    "log_filename": "postgres-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

_TIMESCALE = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    # One scheduler per database and one worker per running policy, out of max_worker_processes.
    "timescaledb.max_background_workers": "16",
}


def render(installation: Installation, tier: str, options: Mapping[str, str]) -> str:
    """Return the text of tracker.conf. `options` override the settings above.

    The text names the binaries, so that a running server with the same text need not be restarted.
    """
    settings = _SETTINGS | {"shared_buffers": _shared_buffers()}
    if tier == "timescale":
        settings |= _TIMESCALE
    lines = [f"{name} = {_quoted(value)}" for name, value in sorted((settings | dict(options)).items())]
    header = "# Written by tracker-backend at each start; ALTER SYSTEM wins over it."
    return "\n".join([header, f"# {installation} from {str(installation.bin_dir)!r}", *lines, ""])


def _shared_buffers() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return "256MB" if memory >= 2 * 1024**3 else "128MB"


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
