"""The command `visitor`: export and erase a visitor's data. Unlike a request, a command has no time-out."""

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

from tracker_backend.accounts import audit
from tracker_backend.commands.arguments import add_actions, add_project_option, command, project_of
from tracker_backend.commands.export_files import write_file
from tracker_backend.errors import NotFound
from tracker_backend.ingest.session_ids import session_key
from tracker_backend.privacy import erasure_check, erasures, receipts, visitor_export
from tracker_backend.settings import Settings
from tracker_backend.storage.database import Database
from tracker_backend.storage.keyed_hash import Subject
from tracker_backend.storage.session_bounds import get_bounds
from tracker_backend.text_cleaning import clean_text


def add(parser: argparse.ArgumentParser) -> None:
    """Add the actions of `visitor`."""
    actions = add_actions(parser)
    export = command(
        actions,
        "export",
        run,
        "write all sessions of a visitor to a file, which only you can read; `import` reads it",
        "tracker-backend visitor export customer-17 customer-17.ndjson",
    )
    erase = command(
        actions,
        "erase",
        run,
        "erase a visitor permanently and print the receipt",
        "tracker-backend visitor erase customer-17",
    )
    check = command(
        actions,
        "check",
        run,
        "check that no data of an erased visitor is left",
        "tracker-backend visitor check 0d3f8c52-6f4b-4c0e-9a53-2f1f6d1f7c11 customer-17",
    )
    check.add_argument("erasure", type=UUID, help="`erasure_id` of the receipt")
    for action in (export, erase, check):
        action.add_argument("id", help="the visitor's user id, as the sessions contain it")
        add_project_option(action)
    export.add_argument("file", type=Path, metavar="FILE", help="file to write")
    erase.add_argument(
        "--yes",
        action="store_true",
        help="do not ask where nothing is stored of ID; data of it that comes later is dropped",
    )
    for action in (erase, check):
        action.add_argument("--session", action="store_true", help="ID is the id of a session, not a user id")


async def run(_settings: Settings, options: argparse.Namespace, database: Database) -> Any:
    """Run an action."""
    project_id = await project_of(options, database)
    context = erasures.context_of(database.maintained)
    wanted = clean_text(options.id)
    if options.action == "export":
        return await _export(database, project_id, wanted, options.file)
    subject: Subject = "user"
    if options.session:
        subject, wanted = "session", str(session_key(project_id, wanted)[0])
    if options.action == "check":
        return await erasure_check.check_erasure(context, project_id, options.erasure, subject, wanted)
    if not options.yes and not await _is_stored(database, project_id, subject, wanted):
        await _ask(options.id, subject, project_id)
    erasure_id = await erasures.request_erasure(
        context, project_id, subject, wanted, audit.COMMAND_LINE, "visitor erased"
    )
    await erasures.run_erasure(context, erasure_id)
    return await receipts.get_receipt(context.pool, project_id, erasure_id)


async def _is_stored(database: Database, project_id: int, subject: Subject, wanted: str) -> bool:
    try:
        if subject == "session":
            await get_bounds(database.pool, project_id, UUID(wanted))
        else:
            await visitor_export.count_sessions(database.pool, project_id, wanted)
    except NotFound:
        return False
    return True


async def _ask(given: str, subject: Subject, project_id: int) -> None:
    """Ask whether to erase an id that may be misspelled. Raises NotFound without a yes."""
    what = f"{'session' if subject == 'session' else 'user id'} {given!r}"
    unknown = f"project {project_id} has no {what}"
    if sys.stdin.isatty():
        print(f"{unknown}. Erase it, so that data of it that comes later is dropped? [y/N] ", end="", file=sys.stderr)
        sys.stderr.flush()
        if (await asyncio.to_thread(sys.stdin.readline)).strip().lower() in ("y", "yes"):
            return
    raise NotFound(
        f"{unknown}, and nothing was erased: give the id as the sessions contain it, or --yes to have data of it that"
        " comes later dropped."
    )


async def _export(database: Database, project_id: int, user_id: str, path: Path) -> dict[str, object]:
    pool = database.maintained.pool
    count = await visitor_export.count_sessions(pool, project_id, user_id)
    await audit.write(pool, audit.COMMAND_LINE, "visitor exported", project_id=project_id, sessions=count)
    await write_file(path, visitor_export.export_visitor(pool, project_id, user_id))
    return {"file": str(path), "sessions": count}
