"""Which errors become which answers, whoever raises them."""

from typing import Any

import asyncpg
import httpx
import pytest
from litestar import Litestar, get

from tests.http.api import check_problem, local
from tracker_backend import errors
from tracker_backend.http import problem

ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TrackerError)]


async def answer_to(error: Exception) -> httpx.Response:
    """What a caller gets of a handler that raises this."""

    @get("/")
    async def fail() -> None:
        raise error

    async with local(Litestar([fail], exception_handlers=problem.HANDLERS, logging_config=None)) as client:
        return await client.get("/")


@pytest.mark.parametrize("kind", ERRORS)
async def test_every_error_of_ours_is_a_problem_with_its_status_and_text(kind: type[errors.TrackerError]) -> None:
    arguments: dict[str, Any] = {"headers": {"Retry-After": "5"}} if kind is errors.LimitExceeded else {}
    answer = await answer_to(kind("what was wrong.", **arguments))
    check_problem(answer, kind.status, kind.kind, "what was wrong.")
    for name in {429: ["retry-after"], 503: ["retry-after"], 401: ["www-authenticate"]}.get(kind.status, []):
        assert name in answer.headers


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("no"),
        TimeoutError(),
        FileNotFoundError("socket"),
        asyncpg.ConnectionDoesNotExistError("closed"),
        asyncpg.InterfaceError("pool is closing"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.QueryCanceledError("statement timeout"),
        asyncpg.TooManyConnectionsError("too many clients"),
        asyncpg.DiskFullError("no space left"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_database_that_cannot_answer_now_is_503(error: Exception) -> None:
    answer = await answer_to(error)
    check_problem(answer, 503, "unavailable", "try again")
    assert int(answer.headers["retry-after"]) > 0


async def test_a_value_that_no_column_holds_is_422() -> None:
    check_problem(await answer_to(asyncpg.DataError("0x00")), 422, "invalid", "0x00")


async def test_a_defect_tells_the_caller_nothing_of_the_inside(caplog: pytest.LogCaptureFixture) -> None:
    answer = await answer_to(asyncpg.UndefinedColumnError("column secret_name does not exist"))
    check_problem(answer, 500, "internal-error", "log")
    assert "secret_name" not in answer.text
    assert "secret_name" in caplog.text, "the log tells"
