"""What others wait beside each hostile request of `tests/hostile`, and how much memory the server takes meanwhile.

Aims: others wait less than 100 ms, and the server stays under 300 MB. Each request meets a server of its own.
"""

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
from msgspec import Struct

from bench.requests import empty
from tests.hostile.hostile import Hostile, Target, answer, answers, track
from tests.hostile.requests import HOSTILE
from tests.processes import Running

MIB = 1024 * 1024
_PAUSE = 0.005
_WARM_UP = 50
_OTHER = Hostile("a click of somebody else", track(), frozenset({201}))


class Found(Struct, frozen=True):
    """What a hostile request did."""

    waited: float
    """The longest that somebody else waited for the commit of a click, in seconds."""
    alone: float
    """The same without the hostile request."""
    memory: int
    """The most memory that the server's process held, in bytes."""
    lasted: float
    """Seconds until the last answer."""
    statuses: list[int]


async def measure(dsn: str, only: str = "") -> None:
    """Prints a line for each hostile request whose name contains `only`."""
    print("others wait (ms) | alone (ms) | memory (MiB) | lasts (s) | answers | hostile request")
    for hostile in HOSTILE:
        if only in hostile.name:
            await empty(dsn)
            found = await _measure(dsn, hostile)
            print(
                f"{found.waited * 1000:>16.0f} | {found.alone * 1000:>10.0f} | {found.memory / MIB:>12.0f} |"
                f" {found.lasted:>9.2f} | {sorted(set(found.statuses))} | {hostile.name}",
                flush=True,
            )


async def _measure(dsn: str, hostile: Hostile) -> Found:
    unlimited = {f"TRACKER_LIMIT_{name}": "0" for name in ("KEY", "KEYLESS", "PROJECT", "SPECTRA")}
    with Running(DATABASE_URL=dsn, TRACKER_LOG_LEVEL="error", **unlimited) as server:
        url, process = httpx.URL(server.url), psutil.Process(server.process.pid)
        target = Target(url.host, url.port or 80, server.values["write_key"])
        for _ in range(_WARM_UP):
            await answer(target, _OTHER)
        alone = await _longest_wait(target, asyncio.create_task(asyncio.sleep(1)))
        _forget_peak(process)
        began = time.perf_counter()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as others:
            await asyncio.get_running_loop().run_in_executor(others, str)  # it has started
            attack = asyncio.get_running_loop().run_in_executor(others, _attack, target, hostile.name)
            waited = await _longest_wait(target, attack)
        return Found(waited, alone, _peak(process), time.perf_counter() - began, attack.result())


def _attack(target: Target, name: str) -> list[int]:
    """What comes back; in a process of its own, so that whoever measures does not wait for whoever attacks."""
    return asyncio.run(answers(target, next(hostile for hostile in HOSTILE if hostile.name == name)))


async def _longest_wait(target: Target, until: asyncio.Future[Any]) -> float:
    """Sends click after click until the task is done; the longest time from sending one to its answer, in seconds."""
    longest, is_last = 0.0, False
    while not is_last:
        is_last = until.done()
        began = time.perf_counter()
        if await answer(target, _OTHER) in _OTHER.answers:  # a refusal is no wait
            longest = max(longest, time.perf_counter() - began)
        await asyncio.sleep(_PAUSE)
    return longest


def _forget_peak(process: psutil.Process) -> None:
    Path(f"/proc/{process.pid}/clear_refs").write_text("5", "ascii")  # proc_pid_clear_refs(5): resets VmHWM


def _peak(process: psutil.Process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024
