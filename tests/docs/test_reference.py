"""The reference pages hold all there is, and nothing that is not."""

import re
from collections.abc import Iterator
from typing import Any, cast

import asyncpg
import msgspec
import pytest
from prometheus_client import Counter, Gauge, Histogram

from tests.docs.pages import ROOT, anchors, headings, name_of, pages, prose, rows
from tracker_backend import cli, metrics
from tracker_backend.app import API, create_app
from tracker_backend.errors import TrackerError
from tracker_backend.event import Event
from tracker_backend.ingest.wire import ScreenshotRequest, SessionRequest, TrackRequest
from tracker_backend.maintenance.tasks import TASKS
from tracker_backend.settings import MIB, Settings, variable

REFERENCE = ROOT / "docs" / "reference"
_CODE = re.compile(r"`([^`]+)`")


def _names(page: str) -> set[str]:
    """What stands in code marks on a reference page."""
    return set(_CODE.findall(prose(REFERENCE / page)))


def _shown(value: object) -> str:
    """A default as the page writes it."""
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value >= MIB and value % MIB == 0:
        return f"{value // MIB} MiB ({value})"
    return str(value)


def test_the_page_of_settings_lists_exactly_the_settings_with_their_defaults() -> None:
    listed = {row[0].strip("`"): row[1].strip("`") for row in rows(REFERENCE / "settings.md") if row[0].startswith("`")}
    fields = msgspec.structs.fields(Settings)
    assert listed == {variable(field.name): _shown(field.default) for field in fields}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_a_setting_that_a_page_names_exists(page: Any) -> None:
    known = {variable(field.name) for field in msgspec.structs.fields(Settings)} | {"TRACKER_"}
    named = set(re.findall(r"\bTRACKER_[A-Z_]+", page.read_text("utf-8")))
    assert not {name for name in named if name.removesuffix("_FILE") not in known}


_API_PAGES = ("api.md", "dialects.md", "live.md")


def _errors(kind: type[TrackerError] = TrackerError) -> Iterator[type[TrackerError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__.startswith("tracker_backend."):
            yield from _errors(below)


def test_the_page_of_errors_has_a_section_for_each_kind_and_no_other() -> None:
    sections = {
        line[3:] for line in (REFERENCE / "errors.md").read_text("utf-8").splitlines() if line.startswith("## ")
    }
    assert sections == {error.kind for error in _errors()}
    assert sections <= anchors(REFERENCE / "errors.md")


def test_the_page_of_errors_tells_the_status_of_each_kind() -> None:
    text = prose(REFERENCE / "errors.md")
    for error in _errors():
        section = text.partition(f"## {error.kind}\n")[2].partition("\n## ")[0]
        assert str(error.status) in section or "On the command line only" in section, error.kind


def test_the_page_of_the_api_has_a_section_for_each_route_and_no_other() -> None:
    schema = create_app(Settings(), "postgresql://unused").openapi_schema.to_schema()
    paths = cast("dict[str, dict[str, Any]]", schema["paths"])
    routes = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    sections = {
        text.strip("`") for page in _API_PAGES for text in headings(REFERENCE / page) if re.match(r"`[A-Z]+ /", text)
    }
    assert sections == routes


def test_the_page_of_the_api_names_each_parameter_of_each_route() -> None:
    schema = create_app(Settings(), "postgresql://unused").openapi_schema.to_schema()
    text = "".join((REFERENCE / page).read_text("utf-8") for page in _API_PAGES)
    for path, methods in cast("dict[str, dict[str, Any]]", schema["paths"]).items():
        for method, operation in methods.items():
            section = text.partition(f"`{method.upper()} {path}`\n")[2].partition("\n## ")[0]
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "query":
                    assert f"`{parameter['name']}`" in section, (path, parameter["name"])


def test_the_page_of_the_api_names_the_prefix() -> None:
    assert API in prose(REFERENCE / "api.md")


def test_the_page_of_events_names_each_field_that_is_sent() -> None:
    for kind in (Event, TrackRequest):
        assert set(kind.__struct_fields__) <= _names("events.md"), kind


def test_the_page_of_the_api_names_each_field_of_a_session_and_of_a_screenshot_that_is_sent() -> None:
    for kind in (SessionRequest, ScreenshotRequest):
        assert set(kind.__struct_fields__) <= _names("api.md"), kind


def test_the_page_of_metrics_lists_exactly_the_metrics_with_their_labels() -> None:
    table = [row for row in rows(REFERENCE / "metrics.md") if len(row) == 4 and row[0].startswith("`")]
    listed = {row[0].strip("`"): row[2].replace("`", "") for row in table}
    found: dict[str, str] = {}
    collectors: list[Any] = [it for it in vars(metrics).values() if isinstance(it, Counter | Gauge | Histogram)]
    for collector in collectors:
        suffix = "_total" if isinstance(collector, Counter) else ""
        found[f"{vars(collector)['_name']}{suffix}"] = ", ".join(vars(collector)["_labelnames"]) or "none"
    assert listed == found


def _commands(parser: Any, name: str = "") -> Iterator[tuple[str, set[str]]]:
    """Each command with its options."""
    below: list[Any] = [action for action in parser._actions if isinstance(action.choices, dict)]
    if not below:
        yield name.strip(), {option for action in parser._actions for option in action.option_strings}
    for action in below:
        for command, its_parser in action.choices.items():
            yield from _commands(its_parser, f"{name} {command}")


def test_the_page_of_the_command_line_has_a_section_for_each_command_with_each_option() -> None:
    text = prose(REFERENCE / "cli.md")
    for command, options in _commands(cli.build_parser()):
        heading = f"## `tracker-backend {command}`\n"
        assert heading in text, command
        section = text.partition(heading)[2].partition("\n## ")[0]
        for option in options - {"-h", "--help", "--json"}:
            assert f"`{option}`" in section, (command, option)


def test_the_page_of_the_command_line_lists_the_maintenance_tasks() -> None:
    assert {task.name for task in TASKS} <= _names("cli.md")


async def test_the_page_of_the_schema_lists_exactly_the_tables_and_their_columns(dsn: str, tier: str) -> None:
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(dsn)
    found: dict[str, set[str]] = {}
    for table, column in await connection.fetch(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = 'tracker' and table_name !~ '_[0-9]{8}$'"
    ):
        found.setdefault(table, set()).add(column)
    await connection.close()
    listed: dict[str, set[str]] = {}
    text = prose(REFERENCE / "schema.md")
    for section in text.split("\n## ")[1:]:
        heading, _, body = section.partition("\n")
        for table in _CODE.findall(heading):
            cells = [line.split("|")[1] for line in body.splitlines() if line.startswith("| `")]
            listed[table] = {name for cell in cells for name in _CODE.findall(cell)}
    if tier == "timescale":
        del listed["events_hourly_rollup"]
    assert listed == found
