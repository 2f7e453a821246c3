"""Every statement on what belongs to projects names the project, in SQL; others are listed here, with their reasons."""

import re
from pathlib import Path

import tracker_backend

ROOT = Path(tracker_backend.__file__).parent
_HEADER = re.compile(r"^-- ([a-z_]+): .+$", re.MULTILINE)
_TABLE = re.compile(r"(?:from|join|into|update|using|only)\s+tracker\.([a-z_]+)")
# A comparison with it, a join with given rows that begin with it, or its place in an insert.
_SCOPE = re.compile(
    r"project_id = (?:\$|any|\w+\.)|as \w \(project_id, \w+(?:, \w+)?\)\s+using"
    r"|into tracker\.\w+(?: as \w+)? \([^)]*project_id"
)
_OF_NO_PROJECT = {"installation", "migrations", "nodes", "leases", "rollups", "users", "logins"}

_BY_AGE = "sweeps rows of all projects by their age"
_BY_HASH = "by a keyed hash of project and id"
_BY_RECEIPT = "by a receipt, a random id that was found by its project before"
_OF_ALL = "the server's own, over all projects; no caller gets what it finds"
UNSCOPED = {
    "recordings/sql/compaction.sql": {"find_sessions": _OF_ALL},
    "privacy/sql/erasures.sql": {
        "find": _OF_ALL,
        "unfinished": _OF_ALL,
        "pending": _OF_ALL,
        "add_session_hashes": _BY_RECEIPT,
        "session_hashes": _BY_RECEIPT,
        "add_counts": _BY_RECEIPT,
        "finish": _BY_RECEIPT,
        "clear_pending": _BY_HASH,
    },
    "maintenance/sql/session_expiry.sql": {"list_expired": _OF_ALL},
    "accounts/sql/expired_logins.sql": {"delete_expired": _BY_AGE},
    "privacy/sql/erasure_check.sql": {"dropped_until": _BY_HASH},
    "maintenance/sql/project_retention.sql": {"list_projects": _OF_ALL},
    "maintenance/sql/deleted_projects.sql": {"list_ended": _OF_ALL, "drop_projects": _BY_AGE},
    "maintenance/sql/retention.sql": {"drop_sessions_hours": _BY_AGE, "drop_batches": _BY_AGE},
    "accounts/sql/keys.sql": {
        "find_key": "by the hash of a key, which tells the project",
        "mark_keys_used": "by the hashes of keys that were found before",
        "default_project": "the first project's number, for the keyless local caller",
    },
    "accounts/sql/one_time_links.sql": {
        "insert_first_owner_link": "of the whole server",
        "withdraw_password_links": "of an account",
        "find": "by the secret of the link, which tells the project",
    },
    "accounts/sql/logins.sql": {"find_login": "by the secret of a login, which tells the projects"},
    "accounts/sql/people.sql": {
        "list_accounts": "the operator's command",
        "list_projects": "a person's own",
        "list_memberships": "a person's own",
        "delete_links": "of an account that the operator deletes",
    },
    "accounts/sql/projects.sql": {
        "insert": "it is not there yet",
        "has_owner": "whether anybody is there yet",
        "is_taken": "no two projects of the server have one name",
        "list_projects_of": "a person's own",
    },
    "queries/sql/sessions.sql": {"activity": "two sums of the whole server, for /health"},
    "accounts/sql/tickets.sql": {"use_ticket": "by the secret of a ticket, which tells the project"},
    "accounts/sql/analysts.sql": {"list_grants": "the operator's command"},
    "storage/sql/partitions.sql": {"drop_hours": _BY_AGE},
    "accounts/sql/project_deletion.sql": {"lock_projects": "so that one is left"},
    "storage/sql/rollups.sql": {
        "extend_events_hours": _OF_ALL,
        "extend_sessions_hours": _OF_ALL,
        "take_hours": _OF_ALL,
    },
    "storage/sql/timescale.sql": {"list_hours": _OF_ALL, "unlist_hours": _OF_ALL},
    "privacy/sql/tombstones.sql": {"active": _BY_HASH, "remove": _BY_HASH, "remove_expired": _BY_AGE},
}
_IN_CODE = {
    # The only SQL outside of .sql files: a WHERE of queries/filters.py, whose first condition is the project.
    "queries/sessions.py",
    "queries/analytics.py",
    "queries/events.py",
}


def unscoped(text: str) -> set[str]:
    """Names of the statements of a file that touch a project's table and do not say which project."""
    parts = _HEADER.split(text)
    return {
        name
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
        if set(_TABLE.findall(body)) - _OF_NO_PROJECT and not _SCOPE.search(body)
    }


def test_every_statement_names_the_project_or_is_listed_with_its_reason() -> None:
    found = {
        path.relative_to(ROOT).as_posix(): names
        for path in ROOT.rglob("*.sql")
        if (names := unscoped(path.read_text("utf-8")))
    }
    assert found == {name: set(reasons) for name, reasons in UNSCOPED.items()}


def test_code_has_no_statement_on_a_projects_table_but_those_of_the_filters() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if set(_TABLE.findall(path.read_text("utf-8"))) - _OF_NO_PROJECT
    }
    assert found == _IN_CODE


def test_a_statement_without_a_project_is_noticed() -> None:
    assert unscoped("-- all: of everybody\nselect * from tracker.sessions where user_id = $1;") == {"all"}
    assert unscoped("-- own: of one\nselect * from tracker.sessions where project_id = $1;") == set()
