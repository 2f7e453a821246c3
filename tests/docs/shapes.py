"""Whether an answer is as the page shows it: the same names, kinds and texts, whatever the ids, times and numbers."""

import re
from collections.abc import Iterator
from typing import Any, cast

MORE = "…"
"""In a shown object or list: there may be more."""

_VARYING = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # a UUID
    r"|tb_[a-z]_[\w-]+"  # a key
    r"|\b[0-9a-f]{32,}\b"  # a digest
    r"|\d+"
)


def same(text: str) -> str:
    """The text without what differs from one run to the next."""
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)?", "TIME", text)
    return re.sub(r"\s+", " ", _VARYING.sub("#", text)).strip()


def differences(shown: Any, found: Any, place: str = "$") -> Iterator[str]:
    """Where JSON that was found is not as shown."""
    if isinstance(shown, dict) and isinstance(found, dict):
        yield from _of_objects(cast("dict[str, Any]", shown), cast("dict[str, Any]", found), place)
    elif isinstance(shown, list) and isinstance(found, list):
        yield from _of_lists(cast("list[Any]", shown), cast("list[Any]", found), place)
    elif shown is None or found is None or isinstance(shown, bool):
        if shown is not found:
            yield f"{place}: shown {shown!r}, found {found!r}"
    elif isinstance(shown, str) and isinstance(found, str):
        if MORE not in shown and same(shown) != same(found):
            yield f"{place}: shown {shown!r}, found {found!r}"
    elif isinstance(shown, str) or not isinstance(found, int | float) or isinstance(found, bool):
        yield f"{place}: shown {shown!r}, found {found!r}"


def _of_objects(shown: dict[str, Any], found: dict[str, Any], place: str) -> Iterator[str]:
    names = shown.keys() - {MORE}
    if missing := names - found.keys():
        yield f"{place}: {sorted(missing)} is shown and was not found"
    if MORE not in shown and (more := found.keys() - names):
        yield f"{place}: {sorted(more)} was found and is not shown"
    for name in names & found.keys():
        yield from differences(shown[name], found[name], f"{place}.{name}")


def _of_lists(shown: list[Any], found: list[Any], place: str) -> Iterator[str]:
    wanted = [value for value in shown if value != MORE]
    if len(wanted) > len(found) or (len(wanted) == len(shown) and len(found) != len(shown)):
        yield f"{place}: {len(wanted)} are shown, {len(found)} were found"
    for index, (one, other) in enumerate(zip(wanted, found, strict=False)):
        yield from differences(one, other, f"{place}[{index}]")


def missing_lines(shown: str, found: str) -> list[str]:
    """The shown lines that are not found, in this order, among others."""
    left = iter([same(line) for line in found.splitlines()])
    return [line for line in shown.splitlines() if line.strip() and line != MORE and same(line) not in left]
