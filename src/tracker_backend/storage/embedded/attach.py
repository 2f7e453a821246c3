"""The database of a running server, for commands that run beside it."""

from pathlib import Path
from urllib.parse import quote

from . import choice as choices
from . import postmaster
from .config import PORT


def running_dsn(data_dir: Path) -> str | None:
    """Return the DSN of the PostgreSQL that runs on a data folder; None if none accepts connections."""
    choice = choices.load(data_dir.expanduser().resolve())
    server = postmaster.running(choice.folder / "data") if choice else None
    if choice is None or server is None or not server.accepts_connections():
        return None
    return dsn_of(choice.folder, server.socket_folder)


def dsn_of(folder: Path, socket_folder: Path | None) -> str:
    """Return the DSN of the database in `folder`. It contains the password."""
    password = (folder / "password").read_text("utf-8")
    return f"postgresql://tracker:{password}@/tracker?host={quote(str(socket_folder))}&port={PORT}"
