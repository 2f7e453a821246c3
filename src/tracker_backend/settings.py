"""Every setting of the server, read once from the environment.

Each field is the environment variable of its name in upper case with `TRACKER_` before it, except those in `BARE`,
whose names the field's hosting platforms already set. Each may also be given as `<NAME>_FILE`, the path of a file
that holds the value (Docker and Kubernetes secrets). A bad value stops the start with a text that names the variable.
"""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import msgspec

from tracker_backend.errors import SettingsError

MIB = 1024 * 1024
BARE = {
    "database_url": "DATABASE_URL",
    "database_direct_url": "DATABASE_DIRECT_URL",
    "redis_url": "REDIS_URL",
    "port": "PORT",
}
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})

Positive = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The server's settings; defaults are those of one small machine."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs keys (see `auth`)."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    workers: Positive = 1
    """Server processes; all share one database."""
    auth: Literal["auto", "open", "required"] = "auto"
    """`open`: local calls without a key act on the default project. `auto`: open while listening on loopback."""
    public_url: str | None = None
    """Where browsers reach this server, such as https://tracker.example: links begin with it, cookies of an https
    address are sent by HTTPS only, and its pages are ours whatever Host a proxy passes on.
    """
    data_dir: Path | None = None
    """Where the embedded PostgreSQL lives; `resolved_data_dir` gives the default."""
    pg_bin: Path | None = None
    """Folder with `postgres` and `initdb` for the embedded PostgreSQL; default: found on the machine."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    database_url: str | None = None
    """DSN of a PostgreSQL of yours. Without it the server runs its own."""
    database_pooler: bool = False
    """True behind PgBouncer and the like in transaction mode: no prepared statements are kept."""
    database_direct_url: str | None = None
    """DSN of the same database past the pooler. Processes tell each other of batches by LISTEN, which needs it."""
    redis_url: str | None = None
    """A Redis by which processes tell each other of batches, in place of LISTEN, and share their limits."""
    pool_min: Positive = 5
    pool_max: Positive = 25
    request_timeout: Positive = 10
    """Seconds a request may take; also the statement time-out of reads."""

    max_body: Positive = 15 * MIB
    """Bytes of a request body, as sent and also inflated; more is 413."""
    max_image: Positive = 10 * MIB
    """Bytes of a decoded screenshot."""
    max_recording: Positive = 10 * MIB + 256 * 1024
    """Bytes of a batch of rrweb events: a full snapshot of 10 MiB, and what stands around it."""
    max_image_pixels: Positive = 80_000_000
    queue_bytes: Positive = 32 * MIB
    """Bytes of batches that may wait for the database in one process, half of them late ones and images; more is
    answered 503.
    """
    clock_skew: Positive = 30
    """Seconds a client's clock may be off before its times are corrected."""
    limit_keyless: NotNegative = 100
    """Requests per minute and address without a key; 0 switches this limit off."""
    limit_key: NotNegative = 600
    """Requests per minute for each key and address; 0 is off."""
    limit_spectra: NotNegative = 100
    """Of these, those to the dialect `spectra`, for each key and address; 0 is off."""
    limit_login: NotNegative = 10
    """Attempts a minute to log in, from an address and on an account; 0 is off."""
    limit_project: NotNegative = 600_000
    """Requests per minute for a whole project; 0 is off. Limits count in each process, with Redis in all together."""
    live_subscribers: NotNegative = 1000
    """Subscribers of live sessions in one process; more are answered 503."""
    honour_gpc: bool = True
    """Whether nothing is stored of a request with `Sec-GPC: 1`."""
    honour_dnt: bool = False
    """The same for `DNT: 1`."""
    store_address: Literal["none", "truncated"] = "none"
    """Whether a session keeps where it came from: not at all, or as /24 (IPv4) or /48 (IPv6)."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks (`10.0.0.0/8`), comma-separated, whose `X-Forwarded-For` is believed."""

    retention_days: Positive = 30
    """Raw events, recordings and screenshots are dropped after this many days."""
    compress_after_days: Positive = 7
    """TimescaleDB compresses chunks of events that ended so long ago. Not before the late window ends."""
    archive_dir: Path | None = None
    """Where sessions with an `expires_at` are written before they are removed; without it they are just removed."""
    hourly_retention_days: Positive = 396
    """Hourly numbers are kept this long (13 months)."""
    late_days: Positive = 7
    """Events up to this many days old keep their time; older ones are stored at the time of receipt."""
    future_hours: Positive = 24
    """The same for events from the future."""
    chunks_ahead_days: Positive = 3
    """Chunks and partitions are made this many days ahead."""
    batch_days: Positive = 14
    """Identities of batches are kept this long, against repeats. Must be past the late window."""
    tombstone_days: Positive = 30
    """What is sent of an erased visitor or session is dropped for so long; a day past the late window at least."""
    refresh_minutes: Positive = 1
    """Minutes between two refreshes of the hourly numbers."""

    def __post_init__(self) -> None:
        """Refuse combinations that would lose or repeat data."""
        window = self.late_days + -(-self.future_hours // 24)
        if self.compress_after_days < self.late_days:
            raise SettingsError(
                f"TRACKER_COMPRESS_AFTER_DAYS is {self.compress_after_days}, but events arrive up to "
                f"TRACKER_LATE_DAYS = {self.late_days} days late and compressing blocks writes to its chunk: "
                "set it no lower than TRACKER_LATE_DAYS."
            )
        floor = max(self.compress_after_days, self.late_days + 1)
        if self.retention_days <= floor:
            raise SettingsError(
                f"TRACKER_RETENTION_DAYS is {self.retention_days}: set it higher than {floor}, so that late events "
                "(TRACKER_LATE_DAYS) and compression (TRACKER_COMPRESS_AFTER_DAYS) come before the end."
            )
        if self.batch_days <= window:
            raise SettingsError(
                f"TRACKER_BATCH_DAYS is {self.batch_days}, within the late window of {window} days: a repeated batch "
                "could be stored twice. Set it higher."
            )
        if self.chunks_ahead_days * 24 < self.future_hours + 24:
            raise SettingsError(
                f"TRACKER_CHUNKS_AHEAD_DAYS is {self.chunks_ahead_days}, but events may be TRACKER_FUTURE_HOURS = "
                f"{self.future_hours} ahead: set it to {-(-self.future_hours // 24) + 1} or more."
            )
        if self.hourly_retention_days <= self.retention_days:
            raise SettingsError(
                f"TRACKER_HOURLY_RETENTION_DAYS is {self.hourly_retention_days}: hourly numbers outlive raw rows, "
                f"so set it higher than TRACKER_RETENTION_DAYS = {self.retention_days}."
            )
        self._check_addresses()
        if self.pool_min > self.pool_max:
            raise SettingsError(f"TRACKER_POOL_MIN is {self.pool_min}, more than TRACKER_POOL_MAX = {self.pool_max}.")

    def _check_addresses(self) -> None:
        for entry in self.trusted_proxies:
            try:
                ipaddress.ip_network(entry, strict=False)
            except ValueError as error:
                raise SettingsError(f"TRACKER_TRUSTED_PROXIES: {error}: give addresses or networks.") from error
        if self.public_url is not None and not self.public_url.startswith(("https://", "http://")):
            raise SettingsError(
                f"TRACKER_PUBLIC_URL is {self.public_url!r}: give the address with its scheme, https://tracker.example."
            )
        if self.redis_url is not None and not self.redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError("REDIS_URL does not begin with redis://, rediss:// or unix://.")

    @property
    def is_open(self) -> bool:
        """Whether local calls without a key act on the default project."""
        return self.auth == "open" or (self.auth == "auto" and self.host in LOOPBACK)

    @property
    def resolved_data_dir(self) -> Path:
        """`data_dir`, else `/var/lib/tracker-backend` for root and the XDG data folder for a user."""
        if self.data_dir is not None:
            return self.data_dir.expanduser().absolute()
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            return Path("/var/lib/tracker-backend")
        home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        return Path(home).expanduser() / "tracker-backend"


def variable(field: str) -> str:
    """Name of the environment variable of a field: `retention_days` → `TRACKER_RETENTION_DAYS`."""
    return BARE.get(field, f"TRACKER_{field.upper()}")


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment; an empty value counts as unset.

    Raises SettingsError for a value that does not fit and for a TRACKER_ variable that does not exist.
    """
    values: dict[str, object] = {}
    known: set[str] = set()
    for field in msgspec.structs.fields(Settings):
        name = variable(field.name)
        known |= {name, f"{name}_FILE"}
        text = _value(environ, name)
        if not text:
            continue
        is_list = field.name == "trusted_proxies"
        raw: object = [part.strip() for part in text.split(",")] if is_list else text
        try:
            values[field.name] = msgspec.convert(
                raw, field.type, strict=False, dec_hook=lambda kind, value: kind(value)
            )
        except msgspec.ValidationError as error:
            is_choice = get_origin(field.type) is Literal
            wanted = f"use one of {', '.join(get_args(field.type))}" if is_choice else str(error)
            raise SettingsError(f"{name} is {text!r}: {wanted}.") from error
    unknown = sorted(name for name in environ if name.startswith("TRACKER_") and name not in known)
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}: see docs/reference/settings.md for the list.")
    return Settings(**values)  # pyright: ignore[reportArgumentType] — each was converted to its field's type above


def _value(environ: Mapping[str, str], name: str) -> str:
    path = environ.get(f"{name}_FILE")
    if not path:
        return environ.get(name, "").strip()
    if environ.get(name):
        raise SettingsError(f"{name} and {name}_FILE are both set: keep one.")
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError as error:
        raise SettingsError(f"{name}_FILE is {path!r}, which cannot be read: {error.strerror}.") from error
