"""All settings of the server, read once from the environment.

A field is the environment variable of its name in upper case with the prefix `TRACKER_`, except the fields in `BARE`:
hosting platforms already set those names. Each can also be given as `<NAME>_FILE`, the path of a file that holds the
value (Docker and Kubernetes secrets). An invalid value stops the start with a message that names the variable.

The docstrings below are the tables of docs/reference/settings.md (`make reference` writes them).
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, get_args, get_origin

import msgspec

from tracker_backend.errors import SettingsError

_ORIGIN = re.compile(r"https?://(\*\.)?[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?")
"""As a Content-Security-Policy has it."""

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
    """The server's settings; the defaults suit one small machine."""

    # --- process ---

    host: str = "127.0.0.1"
    """Address to listen on. On any address but loopback every call needs a key, unless `TRACKER_AUTH` is `open`."""
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 8080
    """Port to listen on. 0 takes a free port, which the server prints."""
    public_url: str | None = None
    """Address at which browsers reach the server, such as `https://tracker.example`. One-time links and the printed tag
    begin with it. Cookies of an https address are sent over HTTPS only. Pages of this origin count as the server's own,
    whatever `Host` a proxy passes on.
    """
    workers: Positive = 1
    """Server processes on this machine. All share one database."""
    auth: Literal["auto", "open", "required"] = "auto"
    """`required`: every call needs a key or a login. `open`: direct local calls without a key act on the first project.
    `auto`: open while listening on loopback (`127.0.0.1`, `::1`, `localhost`), required otherwise.
    """
    demo: bool | None = None
    """Whether the demo shop stands at `/demo/`, whose visits are recorded in the first project. If it is not set: only
    where direct local calls need no key (`TRACKER_AUTH`).
    """
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Log messages of this level and above go to stderr."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks (`10.0.0.0/8`) whose `X-Forwarded-For` and `X-Forwarded-Proto`, or `Forwarded` where these
    are absent, are believed.
    """
    replay_hosts: tuple[str, ...] = ()
    """Origins, such as `https://cdn.shop.example`, from which pages that show replays load images, styles, fonts and
    media. By default none: whoever watches a visit would tell those hosts so, and anybody may have sent the addresses.
    """
    request_timeout: Positive = 10
    """Seconds that a write waits for its commit, and a read for each statement. After that the answer is 503."""

    # --- database ---

    database_url: str | None = None
    """DSN of your own PostgreSQL. If it is not set, the server runs an embedded PostgreSQL."""
    database_pooler: bool = False
    """Set it to `true` behind PgBouncer or another pooler in transaction mode. The server then keeps no prepared
    statements.
    """
    database_direct_url: str | None = None
    """DSN of the same database without the pooler. Server processes announce
    [committed batches](live.md#several-processes) to each other through it, by `LISTEN` and `NOTIFY`.
    """
    redis_url: str | None = None
    """A Redis (`redis://`, `rediss://` or `unix://`). Server processes use it in place of `LISTEN` and `NOTIFY`, and
    share their [rate limits](#limits) through it.
    """
    pool_min: Positive = 5
    """Connections that each process keeps open. At most `TRACKER_POOL_MAX`."""
    pool_max: Positive = 25
    """Connections that each process opens at most. Maintenance uses 2 more, and listening to other processes 1."""
    data_dir: Path | None = None
    """Folder of the embedded PostgreSQL and of `databases.json`. If it is not set: `/var/lib/tracker-backend` for root;
    for other users `tracker-backend` in `$XDG_DATA_HOME` or `~/.local/share`.
    """
    pg_bin: Path | None = None
    """Folder that holds `postgres` and `initdb` for the embedded PostgreSQL. If it is not set, the server looks for an
    installation on the machine.
    """

    # --- limits ---

    max_body: Positive = 15 * MIB
    """Bytes of a request body, both as sent and inflated. A larger body is answered with 413."""
    body_bytes: Positive | None = None
    """Bytes of request bodies, as sent and inflated, that one process holds at a time. What does not fit is answered
    with 503. A quarter is kept for bodies of up to 64 KiB; one address gets at most half, and bodies that hold their
    key get a quarter. If it is not set: 64 MiB, and at least four times `TRACKER_MAX_BODY`.
    """
    body_rate: Positive = 64 * 1024
    """Bytes a second that a body must reach on average if it takes longer than `TRACKER_REQUEST_TIMEOUT`. A slower one
    is answered with 503.
    """
    header_timeout: Positive = 10
    """Seconds in which a client must send the headers of a request, and in which it must begin to. Then its connection
    is closed. A connection that was used before is closed after 5 seconds.
    """
    max_image: Positive = 10 * MIB
    """Bytes of a decoded screenshot. A larger one is answered with 413."""
    max_image_pixels: Positive = 40_000_000
    """Width times height of a screenshot. A larger one is answered with 413, and so is one of more than 65,500 pixels a
    side.
    """
    max_recording: Positive = 10 * MIB + 256 * 1024
    """Bytes of a batch of rrweb events: a full snapshot of 10 MiB and the events around it. A larger batch is answered
    with 413.
    """
    queue_bytes: Positive = 32 * MIB
    """Bytes of batches that wait for the database in one process: one half for current batches, the other for late
    batches and images. A write that does not fit into its half is answered with 503.
    """
    clock_skew: Positive = 30
    """Seconds that a client's clock may be off before the server [corrects](events.md#clocks) its times."""
    limit_keyless: NotNegative = 100
    """Requests per minute and address without a key, and as many that are refused because they have no valid key; 0 is
    no limit. Requests with a valid key are not counted.
    """
    limit_key: NotNegative = 600
    """Requests per minute for each pair of key and address; 0 is no limit."""
    limit_spectra: NotNegative = 100
    """Requests per minute to the dialect `spectra`, for each pair of key and address; they also count against
    `TRACKER_LIMIT_KEY`. 0 is no limit.
    """
    limit_login: NotNegative = 10
    """Attempts per minute to log in, per address and per account. A [known
    browser](../how-to/people.md#log-in-and-out) is counted separately. 0 is no limit.
    """
    limit_project: NotNegative = 600_000
    """Requests per minute for a whole project; 0 is no limit."""
    live_subscribers: NotNegative = 1000
    """Subscribers of [live](live.md) sessions in one process. Further ones are refused with 503 or close code 1013."""

    # --- privacy ---

    honour_gpc: bool = True
    """Whether a request with `Sec-GPC: 1` is dropped: nothing of it is stored."""
    honour_dnt: bool = False
    """Whether a request with `DNT: 1` is dropped: nothing of it is stored."""
    store_address: Literal["none", "truncated"] = "none"
    """What a session keeps of the visitor's address. `none`: nothing. `truncated`: the first 24 bits of an IPv4
    address, the first 48 bits of an IPv6 address.
    """

    # --- retention ---

    retention_days: Positive = 30
    """Days after which events, recordings and screenshots are dropped, and sessions when all their rows have been
    dropped. More than `TRACKER_LATE_DAYS` + 1 and `TRACKER_COMPRESS_AFTER_DAYS`.
    """
    archive_dir: Path | None = None
    """Folder to which sessions with an `expires_at` are written before they are
    [removed](../how-to/import-and-export.md#keep-sessions-that-expire). If it is not set, they are only removed.
    """
    hourly_retention_days: Positive = 396
    """Days after which hourly numbers are dropped (13 months by default). More than `TRACKER_RETENTION_DAYS`."""
    compress_after_days: Positive = 7
    """Days after which TimescaleDB compresses a chunk of events. At least `TRACKER_LATE_DAYS`."""
    late_days: Positive = 7
    """Events up to this many days old keep their time. Older ones are stored with the time of receipt."""
    future_hours: Positive = 24
    """Events up to this many hours in the future keep their time. Later ones are stored with the time of receipt."""
    chunks_ahead_days: Positive = 3
    """Chunks and partitions are created this many days ahead. At least `TRACKER_FUTURE_HOURS` and one day."""
    batch_days: Positive = 14
    """Days for which identities of batches are kept to deduplicate retries. More than the late window
    (`TRACKER_LATE_DAYS` and `TRACKER_FUTURE_HOURS`).
    """
    tombstone_days: Positive = 30
    """Days for which data of an [erased visitor](../how-to/erase-a-visitor.md#what-comes-later) or session is dropped
    when it is sent again. At least `TRACKER_LATE_DAYS` + 1 days pass in any case.
    """
    refresh_minutes: Positive = 1
    """Minutes between two refreshes of the hourly numbers."""

    def __post_init__(self) -> None:
        """Raise SettingsError for combinations that would lose data or store it twice."""
        window = self.late_days + -(-self.future_hours // 24)
        if self.compress_after_days < self.late_days:
            raise SettingsError(
                f"TRACKER_COMPRESS_AFTER_DAYS is {self.compress_after_days}, but events arrive up to "
                f"TRACKER_LATE_DAYS = {self.late_days} days late, and compression blocks writes to its chunk: "
                "set it to TRACKER_LATE_DAYS or more."
            )
        floor = max(self.compress_after_days, self.late_days + 1)
        if self.retention_days <= floor:
            raise SettingsError(
                f"TRACKER_RETENTION_DAYS is {self.retention_days}: set it higher than {floor}, because rows must "
                "outlive late events (TRACKER_LATE_DAYS) and compression (TRACKER_COMPRESS_AFTER_DAYS)."
            )
        if self.batch_days <= window:
            raise SettingsError(
                f"TRACKER_BATCH_DAYS is {self.batch_days}, within the late window of {window} days: a retried batch "
                f"could be stored twice. Set it higher than {window}."
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
        if self.resolved_body_bytes < 4 * self.max_body:
            raise SettingsError(
                f"TRACKER_BODY_BYTES is {self.body_bytes}: set it to {4 * self.max_body} or more, four times"
                f" TRACKER_MAX_BODY = {self.max_body}."
            )
        if self.pool_min > self.pool_max:
            raise SettingsError(f"TRACKER_POOL_MIN is {self.pool_min}, more than TRACKER_POOL_MAX = {self.pool_max}.")

    def _check_addresses(self) -> None:
        for entry in self.trusted_proxies:
            try:
                ipaddress.ip_network(entry, strict=False)
            except ValueError as error:
                raise SettingsError(f"TRACKER_TRUSTED_PROXIES: {error}: give addresses or networks.") from error
        for entry in self.replay_hosts:
            if not _ORIGIN.fullmatch(entry):
                raise SettingsError(
                    f"TRACKER_REPLAY_HOSTS holds {entry!r}: give origins, such as https://cdn.shop.example or"
                    " https://*.shop.example."
                )
        if self.public_url is not None and not self.public_url.startswith(("https://", "http://")):
            raise SettingsError(
                f"TRACKER_PUBLIC_URL is {self.public_url!r}: give the address with its scheme, https://tracker.example."
            )
        if self.redis_url is not None and not self.redis_url.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError("REDIS_URL does not begin with redis://, rediss:// or unix://: correct its scheme.")

    @property
    def is_open(self) -> bool:
        """Whether direct local calls without a key act on the first project."""
        return self.auth == "open" or (self.auth == "auto" and self.host in LOOPBACK)

    @property
    def resolved_body_bytes(self) -> int:
        """`body_bytes`; if it is not set, 64 MiB or, where bodies may be larger, four times the largest one."""
        return self.body_bytes or max(64 * MIB, 4 * self.max_body)

    @property
    def has_demo(self) -> bool:
        """Whether the demo shop is served."""
        return self.is_open if self.demo is None else self.demo

    @property
    def resolved_data_dir(self) -> Path:
        """`data_dir`; if it is not set, `/var/lib/tracker-backend` for root and the XDG data folder for other users."""
        if self.data_dir is not None:
            return self.data_dir.expanduser().absolute()
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            return Path("/var/lib/tracker-backend")
        home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
        return Path(home).expanduser() / "tracker-backend"


def variable(field: str) -> str:
    """Return the environment variable of a field: `retention_days` → `TRACKER_RETENTION_DAYS`."""
    return BARE.get(field, f"TRACKER_{field.upper()}")


def load(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings from the environment. An empty value counts as not set.

    Raises SettingsError for an invalid value and for an unknown variable that begins with `TRACKER_`.
    """
    values: dict[str, object] = {}
    known: set[str] = set()
    for field in msgspec.structs.fields(Settings):
        name = variable(field.name)
        known |= {name, f"{name}_FILE"}
        text = _value(environ, name)
        if not text:
            continue
        is_list = get_origin(field.type) is tuple
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
