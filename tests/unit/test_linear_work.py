"""The work on untrusted text grows with its length, not faster: counted, not timed.

What is counted: the bytes that RE2 passes over, each byte once a search, and the calls of functions.
"""

import ast
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import re2
from msgspec import Raw

import tracker_backend
from tests.unit.test_steps import event, make, mask
from tracker_backend.accounts.project_settings import Masking
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.masking import budget
from tracker_backend.masking.json_strings import secret_strings
from tracker_backend.masking.patterns import MASK, is_secret_value, may_become_secret
from tracker_backend.masking.rules import Rules
from tracker_backend.recordings.reading import read_recording

TIME = 1_795_255_200_000
SIZES = (2_000, 8_000, 32_000)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Generator[list[int]]:
    """Counts what is done within it."""
    work = [0]
    regexp: Any = type(re2.compile("x"))
    search = regexp._match

    def match(self: Any, anchor: Any, text: Any, pos: int | None = None, endpos: int | None = None) -> Iterator[Any]:
        at, end = pos or 0, len(text) if endpos is None else min(endpos, len(text))
        for found in search(self, anchor, text, pos, endpos):
            work[0] += max(found.end() - at, 0)
            at = found.end()
            yield found
        work[0] += max(end - at, 0)

    def count(_frame: Any, kind: str, _argument: Any) -> None:
        work[0] += kind in ("call", "c_call")

    with monkeypatch.context() as patch:
        patch.setattr(regexp, "_match", match)
        sys.setprofile(count)
        try:
            yield work
        finally:
            sys.setprofile(None)


def rules() -> Rules:
    """New rules, so that nothing is cached."""
    return Rules(Masking(fields=("nick",), parameters=("voucher",)))


TEXTS: dict[str, Callable[[int], str]] = {
    "attributes without end": lambda size: "<input value " + "a" * size,
    "attributes without values": lambda size: "<input " + "value " * (size // 6),
    "quotes that do not end": lambda size: "<input value='" * (size // 14),
    "tags": lambda size: "<input" * (size // 6) + "value",
    "combinators": lambda size: "> " * (size // 2),
    "brackets": lambda size: "[" * size + "a",
    "brackets and spaces": lambda size: "[ " * (size // 2),
    "halves of web tokens": lambda size: "eyJaaaaa-" * (size // 9),
    "digits": lambda size: "1" * size,
    "cards' digits": lambda size: "4" * size,
    "groups of digits": lambda size: "4111 " * (size // 5),
    "digits apart": lambda size: "1   " * (size // 4),
    "backslashes behind a label": lambda size: "password:" + "\\" * size,
    "spaces behind labels": lambda size: ("password" + " " * 100) * (size // 108),
    "labels with quotes": lambda size: 'password="' * (size // 10),
    "options": lambda size: "--password" * (size // 10),
    "cookies": lambda size: "cookie: a " * (size // 10),
    "a parameter's long name": lambda size: "/?" + "a" * size + "=1",
    "parameters": lambda size: "/?a=1" + "&a=1" * (size // 4),
    "secret parameters": lambda size: "/?token=1" + "&token=1" * (size // 8),
    "names without a value": lambda size: "token@" * (size // 6),
    "percent signs": lambda size: "?a%25" * (size // 5),
    "escapes in a name": lambda size: "?" + "%25" * (size // 3) + "=1",
    "addresses": lambda size: "a@b.cc " * (size // 7),
    "half addresses": lambda size: "a@" + "b." * (size // 2),
    "signs of addresses": lambda size: "@" * size,
    "users": lambda size: "://a" * (size // 4) + "@",
    "account numbers": lambda size: "DE89 3704 0044 " * (size // 15),
    "capital letters": lambda size: "AB12" * (size // 4),
    "keys": lambda size: "ghp_" * (size // 4),
    "private keys": lambda size: "-----BEGIN PRIVATE KEY-----" * (size // 27),
    "bearers": lambda size: "Bearer " * (size // 7),
    "paths": lambda size: "/reset" * (size // 6),
    "secret paths": lambda size: "/otp/12345678" * (size // 13),
    "words in a path": lambda size: "/" + "reset" * (size // 5),
}


def texts(work: Callable[[Rules, str], object]) -> Callable[[int, str], Callable[[], object]]:
    return lambda size, name: lambda: work(rules(), TEXTS[name](size))


def of_event(**fields: Callable[[str], Any]) -> Callable[[Rules, str], object]:
    return lambda _, text: mask(make(event(**{name: made(text) for name, made in fields.items()})))


def as_data(text: str) -> Raw:
    return Raw(msgspec.json.encode({"a": text, "value": text, text: 1}))


def recorded(_: Rules, text: str) -> object:
    page: dict[str, Any] = {
        "type": 2,
        "id": 5,
        "tagName": "input",
        "attributes": {"value": text, text: text},
        "childNodes": [],
    }
    events: list[dict[str, Any]] = [
        {"type": 2, "data": {"node": {"type": 0, "id": 1, "childNodes": [page]}}, "timestamp": TIME},
        {"type": 3, "data": {"source": 5, "id": 5, "text": text, "isChecked": False}, "timestamp": TIME},
        {"type": 5, "data": {"tag": text, "payload": {"a": [text]}}, "timestamp": TIME},
    ]
    return read_recording(msgspec.json.encode(events), 10_000_000, Masking())


READERS: dict[str, Callable[[Rules, str], object]] = {
    "a text": lambda its, text: its.text(text),
    "a name": lambda its, text: its.name(text),
    "a member": lambda its, text: its.is_member(text),
    "a parameter": lambda its, text: its.is_parameter(text),
    "a field": lambda its, text: its.is_field(text),
    "a typed value": lambda _, text: (is_secret_value(text), may_become_secret(text)),
    "JSON": lambda its, text: its.json(msgspec.json.encode({"a": text, text: [text, text]})),
    "strings of JSON": lambda its, text: list(secret_strings(its, msgspec.json.encode([text, {text: text}]))),
    "an element": of_event(target_element=str, target_class=str, target_id=str),
    "a selector of an input": of_event(event_type=lambda _: "input", target_selector=str, input_value=str),
    "an input": of_event(event_type=lambda _: "change", target_element=str, input_value=str, event_data=as_data),
    "an event": of_event(event_type=str, page_url=str, key_pressed=str, event_data=as_data),
    "a session": lambda _, text: mask(
        make(session=SessionFields(page_url=text, referrer=text, metadata=bytes(as_data(text))))
    ),
    "a recording": recorded,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", TEXTS)
def test_the_work_on_the_worst_text_grows_with_its_length(
    monkeypatch: pytest.MonkeyPatch, name: str, reader: str
) -> None:
    done: list[int] = []
    for size in SIZES:
        its, text = rules(), TEXTS[name](size)
        with counted(monkeypatch) as work:
            READERS[reader](its, text)
        done.append(work[0])
    small, middle, large = done
    # Four times the text is four times the work, or less; what is done once counts for little in the larger sizes.
    assert large <= 5 * max(middle, 1000), done
    assert middle <= 5 * max(small, 4000), done


DOCUMENTS: dict[str, Callable[[int], bytes]] = {
    "members": lambda size: b'{"password":1' + b"".join(b',"a%d":1' % n for n in range(size // 8)) + b"}",
    "secret members": lambda size: b'{"password":1' + b"".join(b',"pw%d":1' % n for n in range(size // 8)) + b"}",
    "empty objects": lambda size: b'["password=1"' + b",{}" * (size // 3) + b"]",
    "pairs": lambda size: b'["password=1"' + b',["a",1]' * (size // 8) + b"]",
    "addresses": lambda size: b"[1" + b"".join(b',"%05d@b.cc"' % n for n in range(size // 10)) + b"]",
    "quotes": lambda size: b'["password=1"' + b',"\\"\\\\"' * (size // 7) + b"]",
    "levels": lambda size: b'{"password":"x","a":' + b"[" * 900 + b"]" * 900 + b',"b":"%b"}' % (b"x" * size),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_work_on_the_worst_json_grows_with_its_length(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    done: list[int] = []
    for size in SIZES:
        its, text = rules(), DOCUMENTS[name](size)
        with counted(monkeypatch) as work:
            its.json(text)
            list(secret_strings(rules(), text))
        done.append(work[0])
    small, middle, large = done
    assert large <= 5 * max(middle, 1000), done
    assert middle <= 5 * max(small, 4000), done


@pytest.mark.parametrize("name", TEXTS)
def test_a_request_over_its_budget_is_masked_unsearched(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    its = rules()
    text = "/?token=canary " + TEXTS[name](50_000)
    with budget.limited(0), counted(monkeypatch) as work:
        monkeypatch.setattr(budget._budget, "left", 0)  # pyright: ignore[reportPrivateUsage]
        assert its.text(text) == MASK
        assert its.name("a[b=c]?token=canary") == MASK
        assert b"canary" not in its.json(msgspec.json.encode({"a": text, "token": "canary"}))
        assert work[0] < 300_000


def test_a_batch_of_many_secrets_is_masked_beyond_its_budget() -> None:
    many = [f"{number}@canary.example" for number in range(20_000)]
    batch = make(event(event_type="custom", event_data=Raw(msgspec.json.encode({"a": many}))))
    batch.size = len(batch.events[0].event_data)
    assert b"canary" not in bytes(mask(batch).events[0].event_data)
    small = make(event(event_type="custom", event_data=Raw(msgspec.json.encode({"a": many[:9], "b": 1}))))
    small.size = len(small.events[0].event_data)
    assert msgspec.json.decode(mask(small).events[0].event_data) == {"a": [MASK] * 9, "b": 1}


LINEAR = {
    "accounts/analysts.py": "names of the operator's command, at most 63 characters",
    "accounts/project_settings.py": "at most 200 characters, and no class overlaps with the next",
    "accounts/time_zones.py": "fullmatch; no class overlaps with the slash",
    "dialects/uxcam/device.py": "fullmatch; at most six digits, and no class overlaps with the next",
    "dialects/uxcam/lzstring.py": "fullmatch; no class overlaps with the next",
    "http/auth/origin.py": "fullmatch; no class overlaps with the point",
    "http/client_address.py": "fullmatch; no class overlaps with the next",
    "http/docs.py": "our own texts",
    "ingest/agent.py": "no repetition",
    "ingest/pages.py": "one character",
    "json_depth.py": "all repetitions are possessive: they never give back",
    "json_scanner.py": "all repetitions are possessive: they never give back",
    "live/id_set.py": "fullmatch; of fixed length, or between points",
    "masking/input_events.py": "at most 30 characters",
    "masking/names.py": "one class, or two characters; at most 1,000 characters",
    "masking/rrweb.py": "white space between fixed texts",
    "masking/rrweb_prefilter.py": "white space between fixed texts",
    "masking/selectors.py": "all repetitions are possessive, or over 80 characters",
    "masking/values.py": "at most 60 characters, or 19 digits",
    "recordings/normalizing.py": "all repetitions are possessive: they never give back",
    "settings.py": "the operator's own settings",
    "storage/embedded/installation.py": "PostgreSQL's own output",
    "storage/embedded/placement.py": "a path of the machine",
    "storage/embedded/postmaster.py": "a command of the machine",
    "storage/sql/__init__.py": "our own files",
    "text_cleaning.py": "of fixed length",
    "times.py": "fullmatch; no class overlaps with the next",
    "validation_errors.py": "between two backticks",
}
"""Modules that use Python's `re`, which backtracks, and why none of their patterns can. All others use RE2."""


def test_each_pattern_of_a_backtracking_engine_has_a_reason() -> None:
    root = Path(tracker_backend.__file__).parent
    using = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import) and any(name.name == "re" for name in node.names)
    }
    assert using == LINEAR.keys()
