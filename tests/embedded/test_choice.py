"""What is written down about a data folder, and which installation may go on with it. No server runs here."""

from pathlib import Path

import pytest

from tracker_backend.storage.embedded import EmbeddedError, find_installations
from tracker_backend.storage.embedded.choice import FILE_NAME, Choice, load, pick_for_existing, save

WHEEL = next(each for each in find_installations() if each.source == "wheel")
NEWER = "99"


def choice_of(folder: Path, bin_dir: Path = WHEEL.bin_dir, timescaledb: str | None = None) -> Choice:
    return Choice(folder / "postgres", bin_dir, WHEEL.version, WHEEL.major, timescaledb, made=True)


def test_a_choice_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    for choice in (
        choice_of(tmp_path),
        choice_of(tmp_path, timescaledb="2.29.2"),
        choice_of(Path("/elsewhere")),
    ):
        save(tmp_path, choice)
        assert load(tmp_path) == choice


def test_a_choice_moves_with_its_folder(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    save(tmp_path / "old", choice_of(tmp_path / "old"))

    moved = (tmp_path / "old").rename(tmp_path / "new")

    assert load(moved) == choice_of(moved)


def test_a_choice_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('{"folder": 7}')

    with pytest.raises(EmbeddedError, match=r"embedded\.json cannot be read"):
        load(tmp_path)


def test_the_recorded_installation_is_kept_before_better_ones(tmp_path: Path) -> None:
    assert pick_for_existing(choice_of(tmp_path), str(WHEEL.major), None, None) == (WHEEL, WHEEL.bin_dir)


def test_a_recorded_installation_in_no_usual_place_is_kept(tmp_path: Path) -> None:
    link = tmp_path / "bin"
    link.symlink_to(WHEEL.bin_dir)

    kept, _ = pick_for_existing(choice_of(tmp_path, link), str(WHEEL.major), None, None)

    assert kept.bin_dir == link


def test_another_installation_of_the_same_version_replaces_one_that_is_gone(tmp_path: Path) -> None:
    chosen, _ = pick_for_existing(choice_of(tmp_path, tmp_path / "gone"), str(WHEEL.major), None, None)

    assert chosen.major == WHEEL.major


def test_data_of_the_timescale_tier_is_refused_where_timescaledb_is_gone(tmp_path: Path) -> None:
    choice = choice_of(tmp_path, tmp_path / "gone", timescaledb="2.29.2")

    with pytest.raises(EmbeddedError) as refusal:
        pick_for_existing(choice, str(WHEEL.major), WHEEL.bin_dir, None)

    assert f"PostgreSQL {WHEEL.major} with TimescaleDB 2.29.2, from {tmp_path}/gone" in str(refusal.value)
    assert f"TRACKER_PG_BIN is {WHEEL} in {WHEEL.bin_dir}" in str(refusal.value)


def test_data_of_a_newer_version_is_refused_with_all_that_is_there(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=f"was made by PostgreSQL {NEWER}, and this machine has: ") as refusal:
        pick_for_existing(choice_of(tmp_path), NEWER, None, None)

    for installation in find_installations():
        assert f"{installation} in {installation.bin_dir}" in str(refusal.value)
