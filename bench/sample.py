"""Recordings made up: a visitor types into a code editor for 81 seconds, as rrweb records it.

The shape is that of rrweb's own sample of that kind (packages/rrweb-player/public/events.js): 272 events, a quarter
of the bytes in the full snapshot and nearly all the rest in changes of the page. Its texts are random words, so it
packs worse.
"""

import random
from typing import Any

Event = dict[str, Any]

_WORDS = tuple(
    """
    const let function return import from export default async await if else for of in while switch case break new this
    class extends constructor super props state useState useEffect useMemo onClick onChange className value children
    render component button input label form list item index key map filter reduce length push slice join split then
    error response request fetch json data user session page event target current previous next first last count total
""".split()  # noqa: SIM905 — a list of words a line would be longer than the rest
)
_CLASSES = ("CodeMirror-line", "cm-keyword", "cm-variable", "cm-string", "cm-operator", "cm-def", "line-wrap", "gutter")
_LASTS_MS = 81_000


def events(seed: int = 0) -> list[Event]:
    """A recording; another `seed` gives another one of the same shape."""
    source = random.Random(seed)
    ids = iter(range(1, 1_000_000))
    found = [
        _event(4, {"href": f"https://editor.example/e/{seed}", "width": 1166, "height": 705}, 0),
        _event(2, {"node": _document(source, ids), "initialOffset": {"left": 0, "top": 0}}, 1),
    ]
    times = sorted(source.randrange(300, _LASTS_MS) for _ in range(270))
    for number, time in enumerate(times):
        match number % 6:
            case 1 if number % 18 == 1:
                data = _moves(source)
            case 2 if number % 18 == 2:
                data = {"source": 2, "type": source.choice((0, 1, 2)), "id": source.randrange(900), **_point(source)}
            case 3 if number % 24 == 3:
                data = {"source": 3, "id": 12, "x": 0, "y": source.randrange(4000)}
            case _:
                data = _mutation(source, ids)
        found.append(_event(3, data, time))
    return found


def _event(kind: int, data: Event, time: int) -> Event:
    return {"type": kind, "data": data, "timestamp": time}


def _text(source: random.Random, words: int) -> str:
    return " ".join(source.choice(_WORDS) for _ in range(words))


def _element(source: random.Random, ids: Any, children: list[Event], tag: str = "span") -> Event:
    attributes = {"class": source.choice(_CLASSES)}
    if source.random() < 0.3:
        attributes["style"] = f"left: {source.randrange(900)}px; top: {source.randrange(4000)}px;"
    return {"type": 2, "tagName": tag, "attributes": attributes, "childNodes": children, "id": next(ids)}


def _line(source: random.Random, ids: Any) -> Event:
    tokens = [
        _element(source, ids, [{"type": 3, "textContent": _text(source, 1), "id": next(ids)}])
        for _ in range(source.randrange(1, 5))
    ]
    return _element(source, ids, tokens, "pre")


def _document(source: random.Random, ids: Any) -> Event:
    style = {"type": 3, "textContent": _text(source, 900), "isStyle": True, "id": next(ids)}
    head = _element(source, ids, [_element(source, ids, [style], "style")], "head")
    body = _element(source, ids, [_line(source, ids) for _ in range(120)], "body")
    doctype = {"type": 1, "name": "html", "publicId": "", "systemId": "", "id": next(ids)}
    return {"type": 0, "childNodes": [doctype, _element(source, ids, [head, body], "html")], "id": next(ids)}


def _mutation(source: random.Random, ids: Any) -> Event:
    adds = [
        {"parentId": source.randrange(20, 900), "nextId": None, "node": node}
        for _ in range(source.randrange(3))
        for node in (_line(source, ids), {"type": 3, "textContent": _text(source, 2), "id": next(ids)})
    ]
    return {
        "source": 0,
        "texts": [{"id": source.randrange(900), "value": _text(source, 2)} for _ in range(source.randrange(2))],
        "attributes": [
            {"id": source.randrange(900), "attributes": {"style": f"left: {source.randrange(900)}px; height: 17px;"}}
            for _ in range(source.randrange(1, 4))
        ],
        "removes": [{"parentId": source.randrange(20, 900), "id": source.randrange(900)} for _ in adds],
        "adds": adds,
    }


def _moves(source: random.Random) -> Event:
    return {
        "source": 1,
        "positions": [{**_point(source), "id": source.randrange(900), "timeOffset": -50 * n} for n in range(9, -1, -1)],
    }


def _point(source: random.Random) -> dict[str, int]:
    return {"x": source.randrange(1166), "y": source.randrange(705)}


def batches(recording: list[Event], begin_ms: int, seconds: int = 5) -> list[list[Event]]:
    """A recording that begins at another time, in batches of so many seconds."""
    first = recording[0]["timestamp"]
    made: dict[int, list[Event]] = {}
    for event in recording:
        after = event["timestamp"] - first
        made.setdefault(after // (seconds * 1000), []).append({**event, "timestamp": begin_ms + after})
    return list(made.values())
