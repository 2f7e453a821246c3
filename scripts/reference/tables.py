"""One function for each kind of generated text. Each returns Markdown; links are relative to `docs/reference/`."""

import argparse
from collections.abc import Callable, Iterator
from datetime import timedelta
from inspect import cleandoc
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from msgspec import inspect
from prometheus_client import Counter, Gauge, Histogram

from scripts.reference.docstrings import fields_of
from scripts.reference.packages import packages
from scripts.reference.values import default_text, describe
from tracker_backend import cli, metrics
from tracker_backend.accounts.project_settings import Masking, ProjectSettings
from tracker_backend.app import create_app
from tracker_backend.dialects.registry import dialect_routes
from tracker_backend.errors import TrackerError
from tracker_backend.event import Event
from tracker_backend.http.route_options import list_routes, plain_path
from tracker_backend.ingest.wire import ScreenshotRequest, SessionRequest, TrackRequest
from tracker_backend.maintenance.tasks import TASKS
from tracker_backend.queries.session_filters import SESSION_FILTERS
from tracker_backend.settings import Settings, variable


def settings(section: str) -> str:
    """The settings of one section of `Settings`."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    rows: list[list[str]] = []
    for documented in fields_of(Settings):
        if documented.section == section:
            (name,) = documented.names  # each setting has a default of its own, so also a row and a docstring
            values = describe(inspect.type_info(fields[name].type)).replace("list", "list, comma-separated")
            rows.append([f"`{variable(name)}`", default_text(fields[name].default), values, documented.text])
    return _table(["variable", "default", "values", "meaning"], rows)


def fields(kind: str) -> str:
    """The fields of one of the structs that clients send, such as `Event`."""
    struct = _STRUCTS[kind]
    found = {field.name: field for field in msgspec.structs.fields(struct)}
    rows: list[list[str]] = []
    for documented in fields_of(struct):
        first = found[documented.names[0]]
        is_required = first.default is msgspec.NODEFAULT and first.default_factory is msgspec.NODEFAULT
        values = describe(inspect.type_info(first.type)) + (", **required**" if is_required else "")
        rows.append([", ".join(f"`{name}`" for name in documented.names), values, documented.text])
    return _table(["field", "type", "meaning"], rows)


def errors() -> str:
    """All kinds of errors by status."""
    kinds = sorted(_kinds(), key=lambda kind: (kind.status, kind.kind))
    return _table(
        ["status", "kind", "title"], [[_status(kind), f"[`{kind.kind}`](#{kind.kind})", kind.title()] for kind in kinds]
    )


def error(name: str) -> str:
    """The status of one kind of error and its docstring."""
    (kind,) = (each for each in _kinds() if each.kind == name)
    title, _, text = cleandoc(kind.__doc__ or "").partition("\n")
    status = f"Status {kind.status}. " if _status(kind) != "none" else "On the command line only. "
    return f"{status}{title}{text}"


def metrics_table() -> str:
    """All metrics of `/metrics`."""
    rows: list[list[str]] = []
    for collector in vars(metrics).values():
        if not isinstance(collector, Counter | Gauge | Histogram):
            continue
        values = vars(collector)
        name = values["_name"] + ("_total" if isinstance(collector, Counter) else "")
        labels = ", ".join(f"`{label}`" for label in values["_labelnames"]) or "none"
        rows.append([f"`{name}`", type(collector).__name__.lower(), labels, values["_documentation"]])
    return _table(["metric", "kind", "labels", "meaning"], rows)


def routes(owner: str) -> str:
    """The routes of the server itself or those of `dialects`, with the scope that each declares."""
    of_dialects = {plain_path(path) for route in dialect_routes() for path in route.paths}
    every = list_routes(create_app(Settings(), "postgresql://unused"))
    lines = [line for line in every if (line.path in of_dialects) == (owner == "dialects")]
    rows = [[f"`{line.method} {line.path}`", f"`{line.scope}`", "yes" if line.cors else "no"] for line in lines]
    return _table(["route", "scope", "called from any site"], rows)


def tasks() -> str:
    """All maintenance tasks."""
    rows = [[f"`{task.name}`", _interval(task.every), task.purpose] for task in TASKS]
    return _table(["task", "every", "purpose"], rows)


def filters() -> str:
    """The filters of `GET /api/v1/sessions`."""
    rows = [[f"`{each.name}`", each.description] for each in SESSION_FILTERS if each.in_v1]
    return _table(["filter", "meaning"], rows)


def command(*words: str) -> str:
    """What a command does, its arguments and its options."""
    parser = dict(_commands())[" ".join(words)]
    rows = [
        [_argument(parser, action), _values(action), (action.help or "") % vars(action)]
        for action in parser._actions
        if action.help != argparse.SUPPRESS and not {"--help", "--json"} & set(action.option_strings)
    ]
    rows.sort(key=lambda row: row[0].startswith("`--"))  # arguments first, as in the usage
    table = _table(["argument", "values", "meaning"], rows) if rows else ""
    return f"{parser.description}\n\n{table}".strip()


_STRUCTS: dict[str, type[msgspec.Struct]] = {
    kind.__name__: kind for kind in (Event, TrackRequest, SessionRequest, ScreenshotRequest, ProjectSettings, Masking)
}
TABLES: dict[str, Callable[..., str]] = {
    "cli": command,
    "error": error,
    "errors": errors,
    "fields": fields,
    "filters": filters,
    "metrics": metrics_table,
    "packages": packages,
    "routes": routes,
    "settings": settings,
    "tasks": tasks,
}


def required() -> list[str]:
    """What must stand in some page: each kind of error, each command, each section of settings, and the lists."""
    sections = dict.fromkeys(documented.section for documented in fields_of(Settings))
    return [
        *(f"settings {section}" for section in sections),
        *(f"error {kind.kind}" for kind in _kinds()),
        *(f"cli {name}" for name, _ in _commands()),
        *(f"fields {name}" for name in _STRUCTS),
        "errors",
        "filters",
        "metrics",
        "packages",
        "routes server",
        "routes dialects",
        "tasks",
    ]


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _kinds(kind: type[TrackerError] = TrackerError) -> Iterator[type[TrackerError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == TrackerError.__module__:  # others, such as those of tests, are no part of the API
            yield from _kinds(below)


def _status(kind: type[TrackerError]) -> str:
    return str(kind.status) if kind.kind not in ("settings", "schema") else "none"


def _interval(every: timedelta | None) -> str:
    if every is None:
        return "`TRACKER_REFRESH_MINUTES`"
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count, rest = divmod(int(every.total_seconds()), length)
        if count and not rest:
            return unit if count == 1 else f"{count} {unit}s"
    return f"{every.total_seconds():g} seconds"


def _commands(parser: Any = None, name: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    parser = parser or cli.build_parser()
    below: list[Any] = [action for action in parser._actions if isinstance(action.choices, dict)]
    if not below:
        yield name.strip(), parser
    for action in below:
        for word, its_parser in action.choices.items():
            yield from _commands(its_parser, f"{name} {word}")


def _argument(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    if action.option_strings:
        return f"`{action.option_strings[-1]}`" + (", **required**" if action.required else "")
    usage = parser._get_formatter()._format_args(action, action.dest.upper())
    return f"`{action.metavar or action.dest.upper()}`" + ("" if usage.startswith("[") else ", **required**")


def _values(action: argparse.Action) -> str:
    if action.choices:
        return ", ".join(f"`{choice}`" for choice in action.choices)
    if action.nargs == 0:
        return "none"
    names: dict[Any, str] = {int: "integer", float: "number", Path: "path", UUID: "UUID"}
    return names.get(action.type, "text")
