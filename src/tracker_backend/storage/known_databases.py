"""The databases in which this server has stored data, in `databases.json` of the data folder.

A wrong DATABASE_URL or a volume that is not mounted looks like a new database. The server refuses such a database,
because otherwise it would store sessions in it without notice.
"""

import logging
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from tracker_backend.errors import SchemaError
from tracker_backend.settings import Settings
from tracker_backend.storage.migrate import Installation, read_installation
from tracker_backend.storage.pool import connect

_log = logging.getLogger(__name__)
_decoder = msgspec.json.Decoder(dict[str, str])


def _path(settings: Settings) -> Path:
    return settings.resolved_data_dir / "databases.json"


def _name(dsn: str) -> str:
    """Return host, port and database of a DSN, without role and password."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)  # the folder of a Unix socket is a parameter
    host = parts.netloc.rpartition("@")[2] or ":".join(query.get("host", ["local"]) + query.get("port", []))
    return f"{host}{parts.path}"


def _known(settings: Settings) -> dict[str, str]:
    try:
        return _decoder.decode(_path(settings).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s cannot be read: %s", _path(settings), error)
        return {}


async def check_known(settings: Settings, dsn: str) -> None:
    """Raise SchemaError if this server stored data at this DSN before, and now there is another database or none."""
    before = _known(settings).get(_name(dsn))
    if before is None:
        return
    connection = await connect(settings, dsn)
    try:
        installation = await read_installation(connection)
    finally:
        await connection.close()
    if installation is None or str(installation.installation_id) != before:
        found = "is empty" if installation is None else f"is another one ({installation.installation_id})"
        raise SchemaError(
            f"the database at {_name(dsn)} {found}, but this server stored data there before (installation {before}). "
            f"Restore that database (is a volume not mounted? is there a backup?), or remove {_path(settings)} to use "
            "this one."
        )


def add(settings: Settings, dsn: str, installation: Installation) -> None:
    """Add a database. If the file cannot be written, only a warning is logged."""
    known = _known(settings)
    if known.get(_name(dsn)) == str(installation.installation_id):
        return
    try:
        _path(settings).parent.mkdir(parents=True, exist_ok=True)
        known[_name(dsn)] = str(installation.installation_id)
        _path(settings).write_bytes(msgspec.json.encode(known))
    except OSError as error:
        _log.warning("%s cannot be written, so the server will not notice a lost database: %s", _path(settings), error)
