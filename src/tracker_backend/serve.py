"""Runs the server: first the database, then one or more processes that share it."""

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from types import FrameType

import msgspec
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from tracker_backend.accounts import keys, one_time_links
from tracker_backend.errors import SettingsError
from tracker_backend.http_connection import BoundedConnection
from tracker_backend.settings import Settings
from tracker_backend.stop_signals import STOP_SIGNALS
from tracker_backend.storage.lifecycle import serving_database
from tracker_backend.storage.pool import open_small_pool

DSN_VARIABLE = "_TRACKER_READY_DSN"
"""The DSN of the migrated database, for worker processes."""
PARENT_VARIABLE = "_TRACKER_PARENT"
_GRACE_SECONDS = 15
_log = logging.getLogger(__name__)


class StopRequest:
    """Whether a stop signal has arrived, so that this process ends in order and stops an embedded database.

    While the database starts, a signal is only stored: a database that is half started could not be stopped. The
    handler must not raise: Python discards exceptions in some places, such as callbacks of weak references, and the
    process would then serve for ever.
    """

    is_set = False

    def __init__(self) -> None:
        self._stop: Callable[[int, FrameType | None], None] | None = None
        for number in STOP_SIGNALS:
            signal.signal(number, self._handle)

    def forward_to(self, stop: Callable[[int, FrameType | None], None]) -> None:
        """Call `stop` at a signal, and now if one has arrived before. `stop` must not raise."""
        self._stop = stop
        if self.is_set:
            stop(signal.SIGTERM, None)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.is_set = True
        if self._stop is not None:
            self._stop(number, frame)


def serve(settings: Settings, *, as_json: bool) -> None:
    """Serve until a stop signal. Before it returns, waiting batches are committed and an embedded database stopped."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if settings.is_open and settings.trusted_proxies:
        _log.warning(
            "calls without a key are answered (TRACKER_AUTH) although TRACKER_TRUSTED_PROXIES is set: a proxy without "
            "forwarding headers would make every visitor a local caller. Set TRACKER_AUTH=required."
        )
    listening = _listen(settings)
    stop_request = StopRequest()
    with asyncio.Runner() as runner:
        database = serving_database(settings)
        dsn = runner.run(database.__aenter__())
        try:
            if not stop_request.is_set:
                write_key, owner_token = runner.run(_startup_values(settings, dsn))
                _announce(settings, listening, write_key, owner_token, as_json=as_json)
                _run(settings, listening, dsn, stop_request)
        finally:
            runner.run(database.__aexit__(None, None, None))


def _run(settings: Settings, listening: socket.socket, dsn: str, stop_request: StopRequest) -> None:
    os.environ[DSN_VARIABLE] = dsn
    config = uvicorn.Config(
        "tracker_backend.app:create_app",
        factory=True,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http=BoundedConnection,
        workers=settings.workers,
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # http/client_address.py reads the headers of trusted proxies only
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    if settings.workers == 1:
        server = uvicorn.Server(config)
        stop_request.forward_to(server.handle_exit)
        server.run(sockets=[listening])
        if not server.started:
            sys.exit(1)
        return
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    with tempfile.TemporaryDirectory(prefix="tracker-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        supervisor = _Workers(config, sockets=[listening])  # replaces the signal handlers
        if not stop_request.is_set:
            supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(1)


class _Workers(Multiprocess):
    """Worker processes. They end when the terminal is closed; uvicorn would restart them."""

    def handle_hup(self) -> None:
        self.handle_term()


def _listen(settings: Settings) -> socket.socket:
    """Open the socket first, because a port in use is the most frequent mistake."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server(
            (settings.host, settings.port),
            family=family,
            backlog=2048,
            dualstack_ipv6=settings.host == "::" and socket.has_dualstack_ipv6(),
        )
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port} ({os.strerror(error.errno or 0)}): "
            "set another PORT or TRACKER_HOST, or stop the other server."
        ) from error
    listening.set_inheritable(True)
    return listening


def local_url(host: str, port: int) -> str:
    """Return the URL of a server on this machine that listens on `host` and `port`."""
    if host == "0.0.0.0":  # noqa: S104 — the wildcard is not an address to open
        host = "127.0.0.1"
    elif host == "::":
        host = "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _startup_values(settings: Settings, dsn: str) -> tuple[str, str | None]:
    """Return the public key of the first project and, while there are no accounts, the token of the owner's link."""
    pool = await open_small_pool(settings, dsn)
    try:
        owner_link = await one_time_links.create_first_owner_link(pool)
        key = await keys.public_key(pool, await keys.default_project(pool))
        return key, owner_link and owner_link.token
    finally:
        await pool.close()


def _announce(
    settings: Settings, listening: socket.socket, write_key: str, owner_token: str | None, *, as_json: bool
) -> None:
    url = local_url(*listening.getsockname()[:2])
    owner_link = owner_token and one_time_links.address(settings.public_url or url, owner_token)
    values = {
        "url": url,
        **({"demo": f"{url}/demo/"} if settings.has_demo else {}),
        "docs": f"{url}/docs",
        "write_key": write_key,
        "auth": "open" if settings.is_open else "required",
        **({"owner_link": owner_link} if owner_link else {}),
    }
    if as_json:
        print(msgspec.json.encode(values).decode(), flush=True)
        return
    print(f"\n  server     {url}")
    if settings.has_demo:
        print(f"  demo shop  {values['demo']}")
    print(f"  API docs   {values['docs']}")
    print(f"  write key  {write_key}")
    public = (settings.public_url or url).rstrip("/")  # visitors' browsers use this address
    print(f'  tag        <script async src="{public}/tracker.js" data-project="{write_key}"></script>')
    if settings.is_open:
        print("  calls from this machine need no key (TRACKER_AUTH=required changes that)")
    if owner_link:
        print(f"\n  create the owner's account (once, within 24 hours):\n  {owner_link}")
    print("\n  Ctrl-C stops it.\n", flush=True)


async def watch_parent(parent: int) -> None:
    """End this worker when its parent process has died: it would occupy the port, and nothing would restart it."""
    while os.getppid() == parent:  # noqa: ASYNC110 — no signal for it works on all systems
        await asyncio.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def reduce_garbage_collection() -> None:
    """Collect garbage less often: rows are many short-lived tuples without cycles.

    Python's default, a collection after every 700 new objects, took 8 % of the server's time. Objects that exist at the
    start are never collected.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
