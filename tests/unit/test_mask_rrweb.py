"""What is masked in recordings, and that all else stays as it came."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker_backend.accounts.project_settings import Masking
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.rules import rules_of
from tracker_backend.recordings.frames import hide_in_frame
from tracker_backend.recordings.reading import read_recording
from tracker_backend.zstd import decompress

TIME = 1_795_255_200_000
MAIL = "mary@example.com"


def rrweb(kind: int, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": data, "timestamp": TIME}


def typing(node: int, text: str) -> dict[str, Any]:
    return rrweb(3, source=5, text=text, isChecked=False, id=node)


def page(*nodes: dict[str, Any]) -> dict[str, Any]:
    return rrweb(2, node={"type": 0, "id": 1, "childNodes": list(nodes)})


def element(node: int, tag: str, *children: dict[str, Any], **attributes: str) -> dict[str, Any]:
    return {"type": 2, "id": node, "tagName": tag, "attributes": attributes, "childNodes": list(children)}


def text(node: int, content: str) -> dict[str, Any]:
    return {"type": 3, "id": node, "textContent": content}


def read(*events: dict[str, Any], **masking: Any) -> tuple[list[dict[str, Any]], Any]:
    recording = read_recording(msgspec.json.encode(events), 1_000_000, Masking(**masking))
    return stored(recording.data), recording


def stored(frame: bytes) -> list[dict[str, Any]]:
    return msgspec.json.decode(b"[" + decompress(frame) + b"]")


def test_inputs_whose_element_looks_secret_are_masked_wherever_their_value_stands() -> None:
    events, recording = read(
        page(element(5, "input", type="password", value="hunter2"), element(6, "input", name="q", value="lamp")),
        typing(5, "hunter2x"),
        typing(6, "lamps"),
        rrweb(3, source=0, texts=[], removes=[], adds=[], attributes=[{"id": 5, "attributes": {"value": "hunter2y"}}]),
        inputs="secrets",
    )
    assert b"hunter2" not in msgspec.json.encode(events)
    assert (events[1]["data"]["text"], events[2]["data"]["text"]) == (MASK, "lamps")
    assert recording.secret_inputs == {"rrweb 5"}
    assert "rrweb 6" in recording.open_inputs


def test_all_that_was_typed_into_an_input_is_masked_once_it_looks_secret() -> None:
    events, recording = read(*(typing(9, MAIL[:length]) for length in (1, 4, 5, len(MAIL))))
    assert {event["data"]["text"] for event in events} == {MASK}
    assert recording.late_secret_inputs == {"rrweb 9"}


def test_texts_and_addresses_of_the_page_are_masked() -> None:
    url = f"https://shop.example/a?token=abc&mail={MAIL}"
    events, recording = read(
        rrweb(4, href=url),
        page(element(7, "a", text(8, f"Hello {MAIL}"), href=url)),
        rrweb(3, source=0, texts=[{"id": 8, "value": "card 4111 1111 1111 1111"}], attributes=[], removes=[], adds=[]),
        rrweb(3, source=0, texts=[], attributes=[], removes=[], adds=[{"parentId": 7, "node": text(9, MAIL)}]),
        rrweb(6, plugin="rrweb/console@1", payload={"level": "error", "payload": ['"password=hunter2"'], "trace": []}),
        rrweb(5, tag="checkout", payload={"cardNumber": "1234", "step": 2}),
    )
    told = msgspec.json.encode((events, [each.page_url for each in recording.found]))
    for secret in (MAIL, "abc", "4111", "hunter2", "1234"):
        assert secret.encode() not in told
    assert events[5]["data"]["payload"] == {"cardNumber": MASK, "step": 2}


def test_events_without_secrets_stay_byte_for_byte() -> None:
    moves = [
        b'{"type": 3, "timestamp":1795255200000 , "data":{"source":1,"positions":[{"x":423.50,"y":1e1,"id":6}]}}',
        b'{"timestamp":1795255200001,"type":3,"data":{"source":3,"id":1,"x":0,"y":4.0e2}}',
        b'{"timestamp":1795255200002,"type":3,"data":{"source":0,"texts":[{"id":8,"value":"caf\\u00e9 @ noon"}]}}',
    ]
    recording = read_recording(b"[" + b",".join(moves) + b"]", 1_000_000, Masking())
    assert decompress(recording.data) == b",".join(moves)


def test_a_style_is_left_alone() -> None:
    css = "@media screen{a[href='x@example.com']{color:red}}"
    events, _ = read(page(element(4, "style", {**text(5, css), "isStyle": True})), typing(9, MAIL))
    assert events[0]["data"]["node"]["childNodes"][0]["childNodes"][0]["textContent"] == css


def test_a_packed_recording_is_masked_when_its_inputs_turn_out_to_be_secret() -> None:
    _, recording = read(typing(9, "hunter2"), typing(8, "lamp"), inputs="secrets")
    assert recording.open_inputs == {"rrweb 8", "rrweb 9"}
    frame, size = hide_in_frame(recording.data, frozenset({"rrweb 9"}))
    assert [event["data"]["text"] for event in stored(frame)] == [MASK, "lamp"]
    assert size == len(decompress(frame))
    frame, _ = hide_in_frame(frame, recording.open_inputs)
    assert [event["data"]["text"] for event in stored(frame)] == [MASK, MASK]
    assert hide_in_frame(frame, recording.open_inputs)[0] is frame


def test_a_deeply_nested_page_is_masked() -> None:
    node = text(1, MAIL)
    for number in range(2, 200):
        node = element(number, "div", node)
    assert MAIL.encode() not in msgspec.json.encode(read(page(node))[0])


PASSWORD = page(element(5, "input", type="password"))


def change(**attributes: Any) -> dict[str, Any]:
    return rrweb(3, source=0, texts=[], removes=[], adds=[], attributes=[{"id": 5, "attributes": attributes}])


@pytest.mark.parametrize("before", [{"style": {"color": "red"}}, {"data-x": "{a}"}, {"data-x": '"}]'}])
def test_a_value_that_changes_after_other_attributes_is_masked(before: dict[str, Any]) -> None:
    events, _ = read(PASSWORD, change(**before, value="hunter2"))
    assert events[1]["data"]["attributes"][0]["attributes"] == {**before, "value": MASK}


def test_a_value_whose_names_are_escaped_is_masked() -> None:
    text = msgspec.json.encode([PASSWORD, change(value="hunter2"), typing(5, "hunter2")])
    escaped = (
        text.replace(b"value", rb"\u0076alue").replace(b"source", rb"sourc\u0065").replace(b"input", rb"inpu\u0074")
    )
    assert b"hunter2" not in decompress(read_recording(escaped, 1_000_000, Masking()).data)


def test_a_long_style_is_left_alone_and_a_long_text_is_not() -> None:
    css = f"@media screen{{a{{color:red}}}} /* {MAIL} */" + " " * 2000
    events, _ = read(
        page(
            element(4, "style", {**text(5, css), "isStyle": True}),
            element(6, "link", _cssText=css),
            element(7, "p", text(8, css)),
        )
    )
    style, link, paragraph = events[0]["data"]["node"]["childNodes"]
    assert (style["childNodes"][0]["textContent"], link["attributes"]["_cssText"]) == (css, css)
    assert paragraph["childNodes"][0]["textContent"] == css.replace(MAIL, MASK)


def test_many_secrets_of_one_page_are_all_masked() -> None:
    events, _ = read(*(page(text(number, f"{number}{MAIL}")) for number in range(40)))
    assert MAIL.encode() not in msgspec.json.encode(events)


def test_what_is_no_element_that_rrweb_knows_is_masked_like_others() -> None:
    node = {"type": 2, "id": 5, "tagName": ["a"], "attributes": {"href": "/?token=abc"}, "childNodes": []}
    assert b"abc" not in msgspec.json.encode(read(page(node))[0])


WORDS = st.lists(
    st.sampled_from(["lamp ", MAIL, "?token=", "abc", "password: ", '"', "\\", "@media", "x" * 1100, "input", "value"]),
    max_size=4,
).map("".join)


@settings(deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
def test_of_a_page_just_the_texts_that_hold_secrets_are_changed(texts: list[str], href: str) -> None:
    rules = rules_of(Masking())
    events, _ = read(
        page(element(2, "a", *(text(3, each) for each in texts), href=href)),
        rrweb(3, source=0, attributes=[], removes=[], adds=[], texts=[{"id": 3, "value": each} for each in texts]),
    )
    link = events[0]["data"]["node"]["childNodes"][0]
    masked = [rules.text(each) for each in texts]
    assert [child["textContent"] for child in link["childNodes"]] == masked
    assert [each["value"] for each in events[1]["data"]["texts"]] == masked
    assert link["attributes"]["href"] == rules.text(href)


SECRET_ATTRIBUTES = (
    "data-token",
    "data-password",
    "data-csrf-token",
    "data-api-key",
    "api-key",
    "dataToken",
    "x:secret",
)
OPEN_ATTRIBUTES = {"data-token-count": "7", "accesskey": "s", "data-id": "t0k", "data-password-toggle": "t0k"}


@pytest.mark.parametrize("name", SECRET_ATTRIBUTES)
def test_attributes_that_are_named_like_secrets_are_masked_in_snapshots_and_changes(name: str) -> None:
    secret = element(2, "div", **{name: "t0k"})
    change = rrweb(3, source=0, texts=[], removes=[], adds=[], attributes=[{"id": 2, "attributes": {name: "t0k"}}])
    added = rrweb(
        3, source=0, texts=[], removes=[], attributes=[], adds=[{"parentId": 1, "nextId": None, "node": secret}]
    )
    for event in (page(secret), change, added):
        text = msgspec.json.encode(read(event)[0])
        assert b"t0k" not in text
        assert MASK.encode() in text


def test_other_attributes_and_those_that_switch_styles_stay_as_they_came() -> None:
    sent = page(
        element(2, "div", **OPEN_ATTRIBUTES),
        element(3, "div", **{"data-password": "true", "data-token": ""}),
        element(4, "meta", name="description", content="t0k"),
    )
    assert read(sent)[0] == [sent]


@pytest.mark.parametrize("label", ["name", "property", "id"])
@pytest.mark.parametrize("secret", ["csrf-token", "_csrf_token", "csrfToken", "api-key"])
def test_the_content_of_a_meta_element_that_is_named_like_a_secret_is_masked(label: str, secret: str) -> None:
    (event,), _ = read(page(element(2, "meta", **{label: secret, "content": "t0k"})))
    assert event["data"]["node"]["childNodes"][0]["attributes"] == {label: secret, "content": MASK}


def test_a_project_may_keep_such_an_attribute() -> None:
    sent = page(element(2, "div", **{"data-token": "t0k"}))
    assert read(sent, allow=("data-token",))[0] == [sent]
