"""Which PostgreSQL is found, and which of them count as having TimescaleDB."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tracker_backend.storage.embedded import EmbeddedError, find_installations


@pytest.fixture
def make_installation(tmp_path: Path) -> Callable[..., Path]:
    """Makes what looks like an installation: scripts that answer as PostgreSQL's programs do."""

    def make(version: str, *, control: str | None = None, modules: tuple[str, ...] = ()) -> Path:
        bin_dir, share, lib = tmp_path / "a b" / "bin", tmp_path / "share", tmp_path / "lib"
        for folder in (bin_dir, share / "extension", lib):
            folder.mkdir(parents=True)
        answers = {
            "postgres": f"postgres (PostgreSQL) {version}",
            "pg_config": f"{share}\n{lib}",
            "initdb": "",
            "pg_ctl": "",
        }
        for name, answer in answers.items():
            (bin_dir / name).write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
            (bin_dir / name).chmod(0o755)
        if control:
            (share / "extension" / "timescaledb.control").write_text(f"default_version = '{control}'\n")
        for module in modules:
            (lib / module).touch()
        return bin_dir

    return make


def test_those_with_timescaledb_come_first_then_the_wheel_then_the_newest() -> None:
    found = find_installations()

    groups = [0 if each.timescaledb else 1 if each.source == "wheel" else 2 for each in found]
    assert groups == sorted(groups)
    others = [each.major for each, group in zip(found, groups, strict=True) if group == 2]
    assert others == sorted(others, reverse=True)
    assert "wheel" in {each.source for each in found}
    assert all(each.version.startswith(f"{each.major}.") for each in found)


def test_the_community_edition_counts_as_timescaledb(make_installation: Callable[..., Path]) -> None:
    bin_dir = make_installation("17.2", control="2.29.2", modules=("timescaledb-tsl-2.29.2.so",))

    (found,) = find_installations(bin_dir)

    assert (found.version, found.major, found.timescaledb) == ("17.2", 17, "2.29.2")
    assert (found.bin_dir, found.source) == (bin_dir, "setting")


def test_the_apache_edition_counts_as_none(make_installation: Callable[..., Path]) -> None:
    bin_dir = make_installation("17.2", control="2.29.2", modules=("timescaledb-2.29.2.so",))

    assert find_installations(bin_dir)[0].timescaledb is None


def test_a_module_left_by_an_older_version_counts_as_none(make_installation: Callable[..., Path]) -> None:
    bin_dir = make_installation("17.2", control="2.29.2", modules=("timescaledb-tsl-2.28.0.so",))

    assert find_installations(bin_dir)[0].timescaledb is None


def test_a_distribution_in_the_version_does_no_harm(make_installation: Callable[..., Path]) -> None:
    assert find_installations(make_installation("15.18 (Debian 15.18-0+deb12u1)"))[0].version == "15.18"


def test_a_pg_bin_that_is_too_old_is_refused_with_its_version(make_installation: Callable[..., Path]) -> None:
    with pytest.raises(EmbeddedError, match=r"it is PostgreSQL 14\.9.*TRACKER_PG_BIN"):
        find_installations(make_installation("14.9"))


def test_a_pg_bin_without_the_programs_is_refused_with_their_names(tmp_path: Path) -> None:
    (tmp_path / "postgres").touch()

    with pytest.raises(EmbeddedError, match="it lacks initdb, pg_ctl") as refusal:
        find_installations(tmp_path)

    assert str(tmp_path) in str(refusal.value)


def test_a_pg_bin_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match="it is not a folder"):
        find_installations(tmp_path / "none")


def test_a_pg_bin_that_does_not_run_is_refused(tmp_path: Path) -> None:
    for name in ("initdb", "pg_ctl", "postgres"):
        (tmp_path / name).write_text("this is no program")

    with pytest.raises(EmbeddedError, match="postgres does not run"):
        find_installations(tmp_path)
