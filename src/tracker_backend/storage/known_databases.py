"""Remembers which databases this server filled, so that one that is suddenly empty is refused, not filled anew.

A wrong DATABASE_URL or a volume that was not mounted looks like a fresh database: without this, visits would go
into it unnoticed.
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
    """Host, port and database of a DSN, without the role and its password."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)  # a Unix socket's folder stands there
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


async def refuse_lost(settings: Settings, dsn: str) -> None:
    """SchemaError if this server had data at that place before and now finds another database or none."""
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
            f"Bring that database back (a volume not mounted? a backup to restore?), or remove {_path(settings)} to go "
            "on with this one."
        )


def remember(settings: Settings, dsn: str, installation: Installation) -> None:
    """Notes the database in the data folder; a folder that cannot be written is only logged."""
    known = _known(settings)
    if known.get(_name(dsn)) == str(installation.installation_id):
        return
    try:
        _path(settings).parent.mkdir(parents=True, exist_ok=True)
        known[_name(dsn)] = str(installation.installation_id)
        _path(settings).write_bytes(msgspec.json.encode(known))
    except OSError as error:
        _log.warning("%s cannot be written, so an emptied database would not be noticed: %s", _path(settings), error)
