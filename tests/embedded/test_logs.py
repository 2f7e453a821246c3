"""The log files of the embedded PostgreSQL stay small, and give an error message its end."""

from pathlib import Path

from tracker_backend.storage.embedded.logs import MAX_BYTES, bound_logs, log_tail


def test_only_a_log_that_grew_too_large_is_emptied(tmp_path: Path) -> None:
    (tmp_path / "postgres-Mon.log").write_text("kept")
    with (tmp_path / "postgres-Tue.log").open("wb") as file:
        file.truncate(MAX_BYTES + 1)

    bound_logs(tmp_path)

    assert (tmp_path / "postgres-Mon.log").read_text() == "kept"
    assert (tmp_path / "postgres-Tue.log").stat().st_size == 0


def test_a_link_in_place_of_a_log_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with target.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    (tmp_path / "postgres-Mon.log").symlink_to(target)
    (tmp_path / "start.log").symlink_to(target)

    bound_logs(tmp_path)

    assert target.stat().st_size == MAX_BYTES + 1
    assert log_tail(tmp_path) == ""


def test_the_tail_holds_the_last_lines_of_both_logs(tmp_path: Path) -> None:
    assert log_tail(tmp_path) == ""
    (tmp_path / "start.log").write_text("early\n")
    (tmp_path / "postgres-Mon.log").write_text("".join(f"line {n}\n" for n in range(5000)))

    assert log_tail(tmp_path, lines=2) == "early\nline 4998\nline 4999"
