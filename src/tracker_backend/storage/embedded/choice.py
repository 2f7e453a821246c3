"""Where the database of a data folder is and which installation runs it. Stored in embedded.json."""

import logging
import os
from pathlib import Path

import msgspec

from .account import Account
from .errors import (
    BrokenChoiceError,
    EmbeddedError,
    NoInstallationError,
    OtherMajorVersionError,
    TimescaleGoneError,
    UnusableInstallationError,
)
from .installation import Installation, find_installations, inspect
from .placement import reachable_binaries

_log = logging.getLogger(__name__)
FILE_NAME = "embedded.json"


class Choice(msgspec.Struct, frozen=True):
    """The content of embedded.json: where the database is, and which PostgreSQL runs it.

    `folder` is stored relative to the data folder if it is inside, so that the data folder can be moved.
    `timescaledb` is None on the plain tier and never changes. `made` is false until the database is complete.
    """

    folder: Path
    bin_dir: Path
    version: str
    major: int
    timescaledb: str | None
    made: bool

    @property
    def tier(self) -> str:
        """`timescale` or `plain`."""
        return "timescale" if self.timescaledb else "plain"


def load(data_dir: Path) -> Choice | None:
    """Read the choice of a data folder; None for a new folder. Raises BrokenChoiceError."""
    path = data_dir / FILE_NAME
    try:
        choice = msgspec.json.decode(path.read_bytes(), type=Choice, dec_hook=_as_path)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BrokenChoiceError(choice=path, why=error) from error
    return msgspec.structs.replace(choice, folder=data_dir / choice.folder)


def _as_path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str):
        raise TypeError(f"{value!r} is not a path")
    return Path(value)


def save(data_dir: Path, choice: Choice) -> None:
    """Write the choice durably if it differs from the stored one."""
    if load(data_dir) != choice:
        inside = choice.folder.is_relative_to(data_dir)
        folder = choice.folder.relative_to(data_dir) if inside else choice.folder
        choice = msgspec.structs.replace(choice, folder=folder)
        content = msgspec.json.format(msgspec.json.encode(choice, enc_hook=str), indent=2) + b"\n"
        write_file(data_dir / FILE_NAME, content, mode=0o644)


def write_file(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file atomically and durably. Does not follow links, because the folder may belong to another user."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(new, "xb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, mode)) as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Flush the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pick_for_new(pg_bin: Path | None, account: Account | None) -> tuple[Installation, Path]:
    """Return the best installation for a new database, and its bin folder."""
    return _first_reachable(find_installations(pg_bin), account)


def pick_for_existing(
    choice: Choice, made_by: str, pg_bin: Path | None, account: Account | None
) -> tuple[Installation, Path]:
    """Return the installation that created the database, else another one that can run it, and its bin folder.

    `made_by` is the major version in PG_VERSION of the database. Raises OtherMajorVersionError and TimescaleGoneError.
    """
    found = find_installations(pg_bin)
    if pg_bin is None and choice.bin_dir not in [installation.bin_dir for installation in found]:
        try:  # it may be that of a TRACKER_PG_BIN that is not set now
            found = [inspect(choice.bin_dir, "setting"), *found]
        except UnusableInstallationError as error:
            _log.warning("The PostgreSQL that created %s cannot be used any more: %s", choice.folder, error)
    found.sort(key=lambda installation: installation.bin_dir != choice.bin_dir)
    listed = ", ".join(f"{each} in {each.bin_dir}" for each in found) or "none"
    here = f"TRACKER_PG_BIN is {listed}" if pg_bin else f"this machine has: {listed}"
    fitting = [each for each in found if str(each.major) == made_by]
    if not fitting:
        raise OtherMajorVersionError(folder=choice.folder, made_by=made_by, found=here)
    if choice.timescaledb:
        fitting = [each for each in fitting if each.timescaledb]
        if not fitting:
            raise TimescaleGoneError(
                folder=choice.folder,
                major=made_by,
                timescaledb=choice.timescaledb,
                bin_dir=choice.bin_dir,
                found=here,
            )
    return _first_reachable(fitting, account)


def _first_reachable(found: list[Installation], account: Account | None) -> tuple[Installation, Path]:
    refusals: list[EmbeddedError] = []
    for installation in found:
        try:
            return installation, reachable_binaries(installation, account)
        except EmbeddedError as error:
            _log.warning("%s is skipped: %s", installation, error)
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    raise NoInstallationError(tried="".join(f"; {refusal}" for refusal in refusals))
