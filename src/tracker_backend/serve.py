"""Runs the server: its database first, then one process or several that share it."""

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
from tracker_backend.settings import Settings
from tracker_backend.stop_signals import STOP_SIGNALS
from tracker_backend.storage.lifecycle import serving_database
from tracker_backend.storage.pool import open_small_pool

DSN_VARIABLE = "_TRACKER_READY_DSN"
"""How worker processes learn of the database that this process started and migrated."""
PARENT_VARIABLE = "_TRACKER_PARENT"
_GRACE_SECONDS = 15
_log = logging.getLogger(__name__)


class Ending:
    """Remembers that one of the STOP_SIGNALS came, so that this process ends in order and an embedded database is
    stopped on the way out. While the database starts a signal only waits: nobody would stop what is half started.

    A handler that raised would be lost in places that no error leaves, such as a weak reference's callback: the
    process would then serve for ever.
    """

    is_wanted = False

    def __init__(self) -> None:
        self._stop: Callable[[int, FrameType | None], None] | None = None
        for number in STOP_SIGNALS:
            signal.signal(number, self._end)

    def use(self, stop: Callable[[int, FrameType | None], None]) -> None:
        """From now on a signal also calls this, which must not raise; at once if one came before."""
        self._stop = stop
        if self.is_wanted:
            stop(signal.SIGTERM, None)

    def _end(self, number: int, frame: FrameType | None) -> None:
        self.is_wanted = True
        if self._stop is not None:
            self._stop(number, frame)


def serve(settings: Settings, *, as_json: bool) -> None:
    """Serves until SIGINT or SIGTERM; what waits is committed and an embedded database stopped before it returns."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if settings.is_open and settings.trusted_proxies:
        _log.warning(
            "calls without a key are answered (TRACKER_AUTH) although there are trusted proxies: one that sets no "
            "forwarding header would make every visitor a local caller. Set TRACKER_AUTH=required."
        )
    listening = _listen(settings)
    ending = Ending()
    with asyncio.Runner() as runner:
        database = serving_database(settings)
        dsn = runner.run(database.__aenter__())
        try:
            if not ending.is_wanted:
                write_key, owner_token = runner.run(_first_values(settings, dsn))
                _announce(settings, listening, write_key, owner_token, as_json=as_json)
                _run(settings, listening, dsn, ending)
        finally:
            runner.run(database.__aexit__(None, None, None))


def _run(settings: Settings, listening: socket.socket, dsn: str, ending: Ending) -> None:
    os.environ[DSN_VARIABLE] = dsn
    config = uvicorn.Config(
        "tracker_backend.app:create_app",
        factory=True,
        loop="uvloop" if sys.platform != "win32" else "asyncio",
        http="httptools",
        workers=settings.workers,
        log_level="warning" if settings.log_level == "info" else settings.log_level,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # http/client_ip.py believes trusted proxies only
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    if settings.workers == 1:
        server = uvicorn.Server(config)
        ending.use(server.handle_exit)
        server.run(sockets=[listening])
        if not server.started:
            sys.exit(1)
        return
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    with tempfile.TemporaryDirectory(prefix="tracker-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        supervisor = _Workers(config, sockets=[listening])  # takes all signals from here on
        if not ending.is_wanted:
            supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(1)


class _Workers(Multiprocess):
    """Several processes, which a closed terminal ends like one; uvicorn would start them again."""

    def handle_hup(self) -> None:
        self.handle_term()


def _listen(settings: Settings) -> socket.socket:
    """The socket, before anything else is started: a port in use is the most frequent mistake."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=2048)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port} ({os.strerror(error.errno or 0)}): "
            "set another PORT or TRACKER_HOST, or stop what listens there."
        ) from error
    listening.set_inheritable(True)
    return listening


def local_url(host: str, port: int) -> str:
    """Where a server that listens so is opened from this machine."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 — listening everywhere is no address to open
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _first_values(settings: Settings, dsn: str) -> tuple[str, str | None]:
    """The default project's public key; and, while there is no account, the token by which the owner's is made."""
    pool = await open_small_pool(settings, dsn)
    try:
        offered = await one_time_links.create_first_owner_link(pool)
        key = await keys.public_key(pool, await keys.default_project(pool))
        return key, offered and offered.token
    finally:
        await pool.close()


def _announce(
    settings: Settings, listening: socket.socket, write_key: str, owner_token: str | None, *, as_json: bool
) -> None:
    url = local_url(*listening.getsockname()[:2])
    owner_link = owner_token and one_time_links.address(settings.public_url or url, owner_token)
    values = {
        "url": url,
        "demo": f"{url}/demo/",
        "docs": f"{url}/docs",
        "write_key": write_key,
        "auth": "open" if settings.is_open else "required",
        **({"owner_link": owner_link} if owner_link else {}),
    }
    if as_json:
        print(msgspec.json.encode(values).decode(), flush=True)
        return
    print(f"\n  server     {url}", f"  demo shop  {values['demo']}", f"  API docs   {values['docs']}", sep="\n")
    print(f"  write key  {write_key}")
    public = (settings.public_url or url).rstrip("/")  # the tag is for pages, whose visitors come by that address
    print(f'  tag        <script async src="{public}/tracker.js" data-project="{write_key}"></script>')
    if settings.is_open:
        print("  calls from this machine need no key (TRACKER_AUTH=required changes that)")
    if owner_link:
        print(f"\n  make the owner's account (once, within 24 hours):\n  {owner_link}")
    print("\n  Ctrl-C stops it.\n", flush=True)


async def watch_parent(parent: int) -> None:
    """Ends this worker when the process that started it is gone: it would hold the port and nobody would restart it."""
    while os.getppid() == parent:  # noqa: ASYNC110 — the system sends no signal for it that works everywhere
        await asyncio.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)


def spare_collections() -> None:
    """Rows are many short-lived tuples without cycles: looking for some after every 700 of them took 8 % of the
    server's time. What is there at the start stays, and is never looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)
