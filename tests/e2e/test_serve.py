"""`tracker-backend serve` with its own PostgreSQL: started, killed, shared, refused, stopped."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.processes import Running, ServeError

web = httpx.Client(timeout=None)  # a loaded machine takes its time to start a server


@pytest.fixture(scope="module", autouse=True)
def _close() -> Iterator[None]:
    yield
    web.close()


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A data folder that a root's PostgreSQL can reach too."""
    with tempfile.TemporaryDirectory(prefix="tracker-serve-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "data"


def batch(number: int) -> dict[str, object]:
    """A batch of three events with a session of its own."""
    moment = "2026-11-21T10:00:00Z"
    events = [{"timestamp": moment, "event_type": "click", "page_url": f"https://x.example/{number}"} for _ in range(3)]
    return {"session_id": str(uuid4()), "batch_id": "only", "events": events}


def postmaster(data_dir: Path) -> psutil.Process:
    """The PostgreSQL of a data folder."""
    return psutil.Process(int((data_dir / "postgres" / "data" / "postmaster.pid").read_text("utf-8").split()[0]))


def cli(data_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command beside a server."""
    return subprocess.run(
        [sys.executable, "-m", "tracker_backend", *arguments],
        env={**os.environ, "TRACKER_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_killed_in_the_middle_has_lost_nothing_it_acknowledged(data_dir: Path, workers: str) -> None:
    acknowledged: list[dict[str, object]] = []
    with Running(TRACKER_DATA_DIR=str(data_dir), TRACKER_WORKERS=workers) as server:
        database = postmaster(data_dir)
        children = psutil.Process(server.process.pid).children(recursive=True)

        def send(number: int) -> None:
            sent = batch(number)
            try:
                if web.post(f"{server.url}/api/v1/track", json=sent).status_code == 201:
                    acknowledged.append(sent)
            except httpx.TransportError:
                pass  # the server is gone: not acknowledged
            if len(acknowledged) == 40:
                server.process.send_signal(signal.SIGKILL)

        with ThreadPoolExecutor(8) as senders:
            list(senders.map(send, range(200)))
        server.process.wait(30)
        psutil.wait_procs([child for child in children if child.pid != database.pid], timeout=30)
        assert database.is_running()
    assert len(acknowledged) >= 40

    with Running(TRACKER_DATA_DIR=str(data_dir), TRACKER_WORKERS=workers) as server:
        assert postmaster(data_dir).pid == database.pid  # adopted
        with httpx.Client(base_url=server.url, timeout=None) as client:
            for sent in acknowledged:
                assert client.post("/api/v1/track", json=sent).status_code == 201  # a retry, stored once
                assert client.get(f"/api/v1/sessions/{sent['session_id']}/events").json()["total"] == 3
                assert client.get(f"/api/v1/sessions/{sent['session_id']}").json()["event_count"] == 3


def test_stopping_the_server_stops_its_database(data_dir: Path) -> None:
    with Running(TRACKER_DATA_DIR=str(data_dir)) as server:
        database = postmaster(data_dir)
        assert web.get(f"{server.url}/health").json()["status"] == "healthy"
        server.end()
        assert server.process.returncode == 0
        # Where PID 1 reaps nothing (a container), an ended process stays as a zombie.
        assert not database.is_running() or database.status() == psutil.STATUS_ZOMBIE


def test_a_second_server_on_the_same_folder_is_refused_with_the_first_ones_name(data_dir: Path) -> None:
    with (
        Running(TRACKER_DATA_DIR=str(data_dir)) as first,
        pytest.raises(ServeError, match=str(first.process.pid)) as refused,
        Running(TRACKER_DATA_DIR=str(data_dir)),
    ):
        pass
    assert str(data_dir) in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_workers_share_one_database_and_tell_their_numbers_together(data_dir: Path) -> None:
    with Running(TRACKER_DATA_DIR=str(data_dir), TRACKER_WORKERS="2") as server:
        for number in range(20):
            assert web.post(f"{server.url}/api/v1/track", json=batch(number)).status_code == 201
        assert web.get(f"{server.url}/api/v1/sessions").json()["total"] == 20
        assert 'tracker_events_total{source="native"} 60.0' in web.get(f"{server.url}/metrics").text


def test_heads_and_ids_with_escapes_are_answered_on_one_connection(data_dir: Path) -> None:
    """Two requests on a connection are answered by one process, and a body after a HEAD would be read as an answer."""
    with Running(TRACKER_DATA_DIR=str(data_dir)) as server, httpx.Client(base_url=server.url, timeout=None) as client:
        started = client.post("/api/sessions/start", json={"sessionId": "a/b+c=", "appId": "shop"})
        assert started.status_code == 200
        for path in ("/tracker.js", "/docs", "/api/v1/sessions/a%2Fb%2Bc%3D", "/api/v1/sessions/a%2Fb+c=/recording"):
            head, get = client.head(path), client.get(path)
            assert (head.status_code, get.status_code, head.content) == (200, 200, b"")
            assert head.headers.get("content-length") == get.headers.get("content-length")
        assert get.json() == []
        assert client.head("/api/v1/sessions/a%2Fb%2Bc%3D/live").status_code == 200
        assert client.head("/api/v1/nothing").status_code == 404
        assert "ERROR" not in server.end()


def test_a_key_made_beside_the_running_server_deletes_a_session(data_dir: Path) -> None:
    with Running(TRACKER_DATA_DIR=str(data_dir)) as server:
        sent = batch(1)
        web.post(f"{server.url}/api/v1/track", json=sent)
        made = cli(data_dir, "key", "create", "--kind", "admin", "--json")
        assert made.returncode == 0, made.stderr
        key = json.loads(made.stdout)["key"]
        address = f"{server.url}/api/v1/sessions/{sent['session_id']}"
        assert web.delete(address).status_code == 401
        assert web.delete(address, headers={"X-API-Key": key}).status_code == 204
        assert web.get(address).status_code == 404


def test_commands_work_without_a_running_server(data_dir: Path) -> None:
    migrated = cli(data_dir, "migrate", "--json")
    assert migrated.returncode == 0, migrated.stderr
    assert json.loads(migrated.stdout)["status"] == "up to date"
    project = json.loads(cli(data_dir, "project", "create", "shop", "--json").stdout)
    assert project["write_key"].startswith("tb_w_")
    names = [line["name"] for line in json.loads(cli(data_dir, "project", "list", "--json").stdout)]
    assert names == ["default", "shop"]
    done = json.loads(cli(data_dir, "maintain", "--json").stdout)
    assert {"chunks", "events-hourly", "retention"} <= {line["task"] for line in done}


def test_a_port_in_use_is_told_before_anything_is_started(data_dir: Path) -> None:
    with Running(TRACKER_DATA_DIR=str(data_dir)) as first:
        port = first.url.rpartition(":")[2]
        with (
            pytest.raises(ServeError, match=f"cannot listen on 127.0.0.1:{port}"),
            Running(TRACKER_DATA_DIR=str(data_dir.with_name("other")), PORT=port),
        ):
            pass
    assert not data_dir.with_name("other").exists()


def test_what_the_command_line_says_holds_for_the_app_and_its_workers(data_dir: Path) -> None:
    with Running("--host", "0.0.0.0", "--workers", "2", TRACKER_DATA_DIR=str(data_dir)) as server:
        assert server.values["auth"] == "required"
        assert web.get(f"{server.url}/api/v1/sessions").status_code == 401


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_closed_terminal_ends_the_server_and_its_database(data_dir: Path, workers: str) -> None:
    with Running("--workers", workers, TRACKER_DATA_DIR=str(data_dir)) as server:
        server.end(signal.SIGHUP)
        assert server.process.returncode == 0
    assert not (data_dir / "postgres" / "data" / "postmaster.pid").exists()


def test_a_signal_while_the_database_starts_leaves_nothing_running(data_dir: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "tracker_backend", "serve"],
        env={**clean, "TRACKER_DATA_DIR": str(data_dir), "PORT": "0"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (data_dir / "embedded.lock").exists():  # the start has begun
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    assert not (data_dir / "postgres" / "data" / "postmaster.pid").exists()


def test_the_tag_and_the_link_that_are_printed_begin_with_the_public_address(data_dir: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "DATABASE_"))}
    settings = {"TRACKER_DATA_DIR": str(data_dir), "TRACKER_PUBLIC_URL": "https://tracker.example/", "PORT": "0"}
    command = [sys.executable, "-m", "tracker_backend", "serve"]
    with subprocess.Popen(
        command, env={**clean, **settings}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:  # ends with a server that does not start
            printed += line
            if "Ctrl-C" in line:
                break
        process.send_signal(signal.SIGTERM)
    assert 'src="https://tracker.example/tracker.js"' in printed
    assert "https://tracker.example/join#" in printed


def test_a_bad_setting_is_named_with_its_value(data_dir: Path) -> None:
    with (
        pytest.raises(ServeError, match="TRACKER_RETENTION_DAYS is 'soon'"),
        Running(TRACKER_DATA_DIR=str(data_dir), TRACKER_RETENTION_DAYS="soon"),
    ):
        pass


def test_a_database_that_dies_is_started_again_and_has_everything(data_dir: Path) -> None:
    with Running(TRACKER_DATA_DIR=str(data_dir)) as server:
        acknowledged: list[dict[str, object]] = []
        statuses: set[int] = set()

        def send() -> int:
            sent = batch(1)
            status = web.post(f"{server.url}/api/v1/track", json=sent).status_code
            statuses.add(status)
            if status == 201:
                acknowledged.append(sent)
            return status

        send()
        killed = postmaster(data_dir)
        killed.kill()
        while not is_another(data_dir, killed):  # the server's own watch is what is awaited
            send()
        while send() != 201:  # it recovers
            pass
        assert statuses <= {201, 503}
        for sent in acknowledged:
            assert web.get(f"{server.url}/api/v1/sessions/{sent['session_id']}/events").json()["total"] == 3


def is_another(data_dir: Path, before: psutil.Process) -> bool:
    """Whether a new PostgreSQL runs on the data folder."""
    try:
        return postmaster(data_dir) != before
    except (OSError, ValueError, IndexError, psutil.NoSuchProcess):
        return False  # between two


def test_the_printed_address_of_all_addresses_answers(data_dir: Path) -> None:
    with Running("--host", "::", TRACKER_DATA_DIR=str(data_dir)) as server:
        assert web.get(f"{server.url}/health").status_code == 200
        port = server.url.rpartition(":")[2]
        assert web.get(f"http://127.0.0.1:{port}/health").status_code == 200
