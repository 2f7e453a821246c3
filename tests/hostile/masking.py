"""Hostile requests that make masking work: each once stopped the server for 2 to 17 seconds."""

from collections.abc import Callable

from tests.hostile.hostile import Hostile, Pieces, Target, post, recording, track

_STORED = frozenset({201})
_SESSION = b"6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11"
_MB = 1_000_000
_TIME = 1_795_255_200_000


def _data(data: Callable[[], bytes]) -> Callable[[Target], Pieces]:
    """Sends an event with this data, which is made when it is sent."""

    def send(target: Target) -> Pieces:
        event = b'{"timestamp":%d,"event_type":"custom","page_url":"https://shop.example/","event_data":%b}'
        body = b'{"session_id":"%b","events":[%b]}' % (_SESSION, event % (_TIME, data()))
        return post("/api/v1/track", body)(target)

    return send


def _payload(payload: Callable[[], bytes]) -> Callable[[Target], Pieces]:
    """Sends an rrweb event of the application with this payload."""

    def send(target: Target) -> Pieces:
        event = b'{"type":5,"timestamp":%d,"data":{"tag":"a","payload":%b}}' % (_TIME, payload())
        return post("/api/v1/track/recording", b'{"session_id":"%b","events":[%b]}' % (_SESSION, event))(target)

    return send


def _members() -> bytes:
    return b'{"password":1%b}' % b"".join(b',"pw%d":1' % number for number in range(900_000))


def _parameters() -> bytes:
    return b'["/?password=1%b"]' % b"".join(b"&%b=1" % (b"%c" % letter * _MB) for letter in b"abcde")


MASKING = [
    Hostile("an element of 20 KB without an end", track(target_element="<input value " + "a" * 20_000), _STORED),
    Hostile(
        "a selector of 20 KB of combinators",
        track(event_type="input", target_selector="> " * 10_000, input_value="x"),
        _STORED,
    ),
    Hostile("72 KB of halves of web tokens", track(event_data={"a": "eyJaaaaa-" * 8000}), _STORED),
    Hostile(
        "72 KB of halves of web tokens in a recording",
        recording({"type": 5, "timestamp": _TIME, "data": {"tag": "a", "payload": "eyJaaaaa-" * 8000}}),
        _STORED,
    ),
    Hostile("1 MB of digits as a typed value", track(event_type="input", input_value="1" * _MB), _STORED),
    Hostile("a label and 40 KB of backslashes", track(event_data={"a": "password:" + "\\" * 40_000}), _STORED),
    Hostile("12 MB of members", _data(_members), _STORED),
    Hostile("five names of parameters of 1 MB", _data(_parameters), _STORED),
    Hostile("2 million empty objects", _payload(lambda: b'["password=1"%b]' % (b",{}" * 2 * _MB)), _STORED),
    Hostile("10 MB of e-mail addresses", _data(lambda: b'["%b"]' % (b"a@b.cc " * 1_500_000)), _STORED),
]
