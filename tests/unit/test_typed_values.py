"""What is typed is masked in events and recordings, unless the page or the project wants it to be stored."""

from typing import Any

import msgspec
import pytest

from tests.unit.test_mask import MAIL, data, masked, told
from tests.unit.test_mask_rrweb import change, element, page, read, rrweb, text, typing
from tests.unit.test_steps import event, make, mask
from tracker_backend.accounts.project_settings import Masking, relaxed
from tracker_backend.event import Event
from tracker_backend.masking.patterns import MASK

TYPED = "Avenida 24"


def typed(**fields: Any) -> Event:
    return event(**{"event_type": "input", "target_id": "street", **fields})


@pytest.mark.parametrize(
    "fields",
    [
        {"input_value": TYPED},
        {"input_value": TYPED, "event_type": "change"},
        {"input_value": TYPED, "event_type": "custom"},
        {"event_data": data(value=TYPED)},
        {"event_data": data(target={"name": "street", "value": TYPED})},
        {"event_data": data(text=TYPED, selector=f'input[value="{TYPED}"]')},
        {"event_type": "click", "target_element": f'<input name="street" value="{TYPED}">'},
        {"event_type": "click", "target_element": f"<form><p><input value='{TYPED}'><b>Send</b></form>"},
        {"event_type": "click", "target_element": f"<label>Street <textarea rows=2>{TYPED}</textarea></label>"},
        {"event_type": "click", "target_element": f"<select><option selected>{TYPED}</option></select>"},
        {"event_type": "click", "target_element": f'<div contenteditable="true"><p>{TYPED}</p></div>'},
        {"event_type": "click", "target_element": f"<main><div class=a contenteditable>{TYPED}</div><p>b</p></main>"},
        {"event_type": "input", "target_element": f"<div role=textbox>{TYPED}</div>", "input_value": TYPED},
        {"event_type": "click", "target_selector": f'form > input[value="{TYPED}"]'},
        {"event_type": "click", "target_selector": f"input[ value ^= '{TYPED}' ]"},
        {"event_type": "click", "target_selector": f'input[value="{TYPED}'},
        {"input_value": TYPED, "target_selector": f'li[data-street="{TYPED}"] > input'},
    ],
)
def test_what_is_typed_into_any_field_is_masked(fields: dict[str, Any]) -> None:
    [line] = masked(typed(**fields))
    assert TYPED not in repr(told(line))
    assert [told(each) for each in masked(line)] == [told(line)], "masking again changes nothing"


@pytest.mark.parametrize(
    "fields",
    [
        {"event_type": "click", "target_element": '<input type="submit" value="Pay now">'},
        {"event_type": "click", "target_element": '<input type="radio" name="colour" value="clay">'},
        {"event_type": "click", "target_element": '<button value="buy">Buy</button>'},
        {"event_type": "click", "target_element": '<div contenteditable="false">Buy</div>'},
        {"event_type": "keydown", "key_pressed": "Enter", "target_element": "<button>Pay now</button>"},
        {"event_type": "click", "target_selector": '[data-testid="value"] > button[value="buy"]'},
        {"event_type": "click", "target_selector": 'input[type="radio"][value="clay"]'},
        {"event_type": "custom", "event_data": data(value="lamp", text="Buy", count=3)},
    ],
)
def test_what_is_not_typed_stays(fields: dict[str, Any]) -> None:
    sent = event(**fields)
    before = told(sent)
    [line] = masked(sent)
    assert told(line) == before


@pytest.mark.parametrize("mark", [{"input_masked": False}, {"event_data": data(input_masked=False, value=TYPED)}])
def test_a_value_that_the_page_wants_to_be_stored_is(mark: dict[str, Any]) -> None:
    [line] = masked(typed(input_value=TYPED, **mark))
    assert line.input_value == TYPED
    assert MASK not in bytes(line.event_data).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"input_value": MAIL},
        {"input_value": "411111"},
        {"input_value": "hunter2", "target_id": "password"},
        {"input_value": "hunter2", "event_data": data(masked=True)},
    ],
)
def test_it_is_not_if_it_looks_secret(fields: dict[str, Any]) -> None:
    assert masked(typed(input_masked=False, **fields))[0].input_value == MASK


def test_a_project_keeps_fields_or_all_that_are_no_secrets() -> None:
    assert masked(typed(input_value=TYPED), allow=("street",))[0].input_value == TYPED
    assert masked(typed(input_value=TYPED), inputs="secrets")[0].input_value == TYPED
    assert masked(typed(input_value=MAIL), inputs="secrets")[0].input_value == MASK


def test_a_tag_that_masks_every_field_makes_none_of_them_secret_for_good() -> None:
    batch = mask(make(typed(input_value=MASK, input_masked=True), typed(input_value="hunter2", target_id="password")))
    assert batch.secret_fields == {"id password"}


def unmasked(node: int, value: str) -> dict[str, Any]:
    sent = typing(node, value)
    sent["data"]["input_masked"] = False
    return sent


def test_what_is_typed_is_masked_in_recordings() -> None:
    events, recording = read(
        page(element(5, "input", name="q", value=TYPED), element(6, "textarea", text(7, TYPED), value=TYPED)),
        typing(5, TYPED),
        rrweb(3, source=5, text=12345, isChecked=False, id=5),
        change(value=TYPED),
        change(value=TYPED, style={"color": "red"}),
    )
    assert TYPED.encode() not in msgspec.json.encode(events)
    assert events[2]["data"]["text"] == MASK
    assert recording.open_inputs == frozenset()


def test_a_recording_keeps_what_the_page_wants_to_be_stored() -> None:
    kept = {"name": "q", "value": TYPED, "data-unmask": ""}
    sent = [
        page(element(5, "input", **kept), element(6, "input", type="submit", value="Pay now")),
        unmasked(5, TYPED),
        change(value=TYPED, **{"data-unmask": ""}),
    ]
    events, recording = read(*sent)
    assert events == sent
    assert recording.open_inputs == {"rrweb 5"}
    assert [each["data"]["text"] for each in read(unmasked(5, MAIL))[0]] == [MASK]
    hidden, _ = read(page(element(5, "input", **kept | {"type": "password"})), unmasked(5, TYPED))
    assert TYPED.encode() not in msgspec.json.encode(hidden)


def test_a_recording_keeps_the_fields_that_the_project_allows() -> None:
    sent = page(element(5, "input", name="q", value=TYPED))
    assert read(sent, allow=("q",))[0] == [sent]


def mutation(*adds: dict[str, Any], texts: list[dict[str, Any]]) -> dict[str, Any]:
    return rrweb(3, source=0, texts=texts, removes=[], adds=list(adds), attributes=[])


@pytest.mark.parametrize("inputs", ["all", "secrets"])
def test_what_is_typed_into_an_editor_is_masked_in_recordings(inputs: str) -> None:
    editor = element(5, "div", element(6, "p", text(7, TYPED)), contenteditable="true")
    fixed = element(9, "p", text(10, "Shown"), contenteditable="false")
    events, _ = read(
        page(editor, element(8, "div", fixed, text(11, "Around"), **{"data-x": "contenteditable"})),
        mutation({"parentId": 6, "nextId": None, "node": element(20, "b", text(21, TYPED))}, texts=[]),
        mutation(texts=[{"id": 7, "value": TYPED}, {"id": 21, "value": TYPED}, {"id": 10, "value": "Shown 2"}]),
        inputs=inputs,
    )
    stored = msgspec.json.encode(events)
    assert TYPED.encode() not in stored
    assert all(each in stored for each in (b"Shown", b"Around", b"Shown 2"))


def test_rules_by_which_more_is_stored_are_named() -> None:
    before = Masking(fields=("nick",), parameters=("ref",), allow=("q",))
    assert relaxed(before, before) == []
    assert relaxed(before, Masking(fields=("nick", "iban"), parameters=("ref",))) == []
    assert relaxed(before, Masking(inputs="secrets", allow=("q", "email"))) == [
        "inputs",
        "fields",
        "parameters",
        "allow",
    ]
    assert relaxed(Masking(inputs="secrets"), Masking()) == []
