"""Settings from the environment: each by its name or a file, and loud on what does not fit."""

from pathlib import Path

import msgspec
import pytest

from tracker_backend.errors import SettingsError
from tracker_backend.settings import Settings, load, variable

SAMPLES = {
    "host": ("0.0.0.0", "0.0.0.0"),
    "auth": ("required", "required"),
    "log_level": ("debug", "debug"),
    "data_dir": ("/srv/tracker", Path("/srv/tracker")),
    "pg_bin": ("/opt/pg/bin", Path("/opt/pg/bin")),
    "database_url": ("postgresql://a:b@c/d", "postgresql://a:b@c/d"),
    "database_pooler": ("true", True),
    "database_direct_url": ("postgresql://a:b@c/d", "postgresql://a:b@c/d"),
    "redis_url": ("redis://a:6379/1", "redis://a:6379/1"),
    "replay_hosts": (
        "https://cdn.shop.example, http://*.a.example:81",
        ("https://cdn.shop.example", "http://*.a.example:81"),
    ),
    "trusted_proxies": (" 10.0.0.0/8 , ::1", ("10.0.0.0/8", "::1")),
    "pool_max": ("77", 77),
    "archive_dir": ("/var/lib/archive", Path("/var/lib/archive")),
    "retention_days": ("200", 200),
    "hourly_retention_days": ("900", 900),
    "batch_days": ("90", 90),
    "honour_gpc": ("false", False),
    "honour_dnt": ("true", True),
    "demo": ("true", True),
    "store_address": ("truncated", "truncated"),
    "public_url": ("https://tracker.example", "https://tracker.example"),
    "compress_after_days": ("9", 9),
    "body_bytes": ("99000000", 99_000_000),
}
FIELDS = [field.name for field in msgspec.structs.fields(Settings)]


def sample(name: str) -> tuple[str, object]:
    """A text for a setting and the value it stands for; a number that is no default, where nothing else is told."""
    return SAMPLES.get(name, ("2", 2))


def test_nothing_set_gives_the_defaults() -> None:
    assert load({}) == Settings()
    assert load({"HOME": "/root", "PORT": "", "TRACKER_HOST": "  "}) == Settings()


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_is_read_from_its_variable_or_its_file(name: str, tmp_path: Path) -> None:
    text, value = sample(name)
    assert getattr(load({variable(name): text}), name) == value != getattr(Settings(), name)
    file = tmp_path / "secret"
    file.write_text(f"{text}\n")
    assert getattr(load({f"{variable(name)}_FILE": str(file)}), name) == value


def test_the_names_that_hosts_set_are_bare() -> None:
    assert (variable("port"), variable("database_url")) == ("PORT", "DATABASE_URL")
    assert variable("retention_days") == "TRACKER_RETENTION_DAYS"


@pytest.mark.parametrize(
    ("environ", "tells"),
    [
        ({"TRACKER_RETENTION": "5"}, ["TRACKER_RETENTION", "docs/reference/settings.md"]),
        ({"TRACKER_PORT": "80"}, ["TRACKER_PORT"]),
        ({"TRACKER_A": "1", "TRACKER_B_FILE": "x"}, ["TRACKER_A, TRACKER_B_FILE"]),
        ({"PORT": "eighty"}, ["PORT", "'eighty'", "int"]),
        ({"PORT": "65536"}, ["PORT", "65535"]),
        ({"PORT": "80.5"}, ["PORT"]),
        ({"TRACKER_WORKERS": "0"}, ["TRACKER_WORKERS", ">= 1"]),
        ({"TRACKER_LIMIT_KEY": "-1"}, ["TRACKER_LIMIT_KEY", ">= 0"]),
        ({"TRACKER_AUTH": "none"}, ["TRACKER_AUTH", "'none'"]),
        ({"TRACKER_LOG_LEVEL": "loud"}, ["TRACKER_LOG_LEVEL"]),
        ({"TRACKER_DATABASE_POOLER": "perhaps"}, ["TRACKER_DATABASE_POOLER"]),
        ({"TRACKER_COMPRESS_AFTER_DAYS": "3"}, ["TRACKER_COMPRESS_AFTER_DAYS is 3", "TRACKER_LATE_DAYS"]),
        ({"TRACKER_RETENTION_DAYS": "8"}, ["TRACKER_RETENTION_DAYS is 8", "higher than 8"]),
        ({"TRACKER_RETENTION_DAYS": "30", "TRACKER_COMPRESS_AFTER_DAYS": "30"}, ["TRACKER_RETENTION_DAYS is 30"]),
        ({"TRACKER_BATCH_DAYS": "8"}, ["TRACKER_BATCH_DAYS is 8"]),
        ({"TRACKER_HOURLY_RETENTION_DAYS": "30"}, ["TRACKER_HOURLY_RETENTION_DAYS is 30"]),
        ({"TRACKER_POOL_MIN": "26"}, ["TRACKER_POOL_MIN is 26", "TRACKER_POOL_MAX = 25"]),
        ({"TRACKER_BODY_BYTES": "62914559"}, ["TRACKER_BODY_BYTES is 62914559", "62914560", "TRACKER_MAX_BODY"]),
        ({"REDIS_URL": "localhost:6379"}, ["REDIS_URL", "redis://"]),
        ({"TRACKER_HOST_FILE": "/nowhere/at/all"}, ["TRACKER_HOST_FILE", "/nowhere/at/all", "No such file"]),
        ({"TRACKER_HOST": "a", "TRACKER_HOST_FILE": "/b"}, ["TRACKER_HOST and TRACKER_HOST_FILE", "keep one"]),
        ({"TRACKER_TRUSTED_PROXIES": "10.0.0.0/8,proxy"}, ["TRACKER_TRUSTED_PROXIES", "'proxy'"]),
        ({"TRACKER_REPLAY_HOSTS": "https://a.example; script-src *"}, ["TRACKER_REPLAY_HOSTS", "script-src"]),
        ({"TRACKER_REPLAY_HOSTS": "*"}, ["TRACKER_REPLAY_HOSTS", "'*'"]),
        ({"TRACKER_TRUSTED_PROXIES": "10.0.0.0/99"}, ["TRACKER_TRUSTED_PROXIES", "10.0.0.0/99"]),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_with_its_name(environ: dict[str, str], tells: list[str]) -> None:
    with pytest.raises(SettingsError) as refused:
        load(environ)
    for text in tells:
        assert text in refused.value.detail


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("TRUE", True), ("false", False), ("0", False)]
)
def test_yes_and_no_have_their_usual_names(text: str, value: bool) -> None:
    assert load({"TRACKER_DATABASE_POOLER": text}).database_pooler is value


def test_the_edges_of_what_goes_together_are_allowed() -> None:
    chosen = load(
        {
            "TRACKER_LATE_DAYS": "3",
            "TRACKER_COMPRESS_AFTER_DAYS": "3",
            "TRACKER_RETENTION_DAYS": "5",
            "TRACKER_BATCH_DAYS": "5",
            "TRACKER_HOURLY_RETENTION_DAYS": "6",
            "TRACKER_POOL_MIN": "25",
        }
    )
    assert (chosen.retention_days, chosen.batch_days, chosen.pool_min) == (5, 5, 25)


@pytest.mark.parametrize(
    ("auth", "host", "is_open"),
    [
        ("auto", "127.0.0.1", True),
        ("auto", "::1", True),
        ("auto", "localhost", True),
        ("auto", "0.0.0.0", False),
        ("auto", "::", False),
        ("auto", "192.168.1.5", False),
        ("open", "0.0.0.0", True),
        ("required", "127.0.0.1", False),
    ],
)
def test_a_server_is_open_on_loopback_or_when_told(auth: str, host: str, is_open: bool) -> None:
    assert load({"TRACKER_AUTH": auth, "TRACKER_HOST": host}).is_open is is_open


def test_the_memory_for_bodies_grows_with_the_largest_one() -> None:
    assert Settings().resolved_body_bytes == 64 * 1024**2
    assert Settings(max_body=50_000_000).resolved_body_bytes == 200_000_000


def test_the_data_folder_is_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert load({"TRACKER_DATA_DIR": "data"}).resolved_data_dir == Path("/data")
    assert load({"TRACKER_DATA_DIR": "~/data"}).resolved_data_dir == Path.home() / "data"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_DATA_HOME", "/xdg")
    assert load({}).resolved_data_dir == Path("/xdg/tracker-backend")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert load({}).resolved_data_dir == Path("/var/lib/tracker-backend")
