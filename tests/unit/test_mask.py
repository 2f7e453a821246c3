"""What is masked in events, and what is not."""

import gc
import random
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from tests.unit.test_steps import event, make, mask
from tracker_backend.accounts.project_settings import Masking, ProjectSettings
from tracker_backend.event import Event
from tracker_backend.ingest.batch import SessionFields
from tracker_backend.masking import form_fields, html_fields, targets
from tracker_backend.masking import rules as rules_module
from tracker_backend.masking.caching import CACHED, ENTRIES
from tracker_backend.masking.events import hide_fields
from tracker_backend.masking.form_fields import Field, field_of
from tracker_backend.masking.html_fields import without_value
from tracker_backend.masking.patterns import MASK
from tracker_backend.masking.rules import rules_of
from tracker_backend.masking.targets import target_of
from tracker_backend.masking.values import is_issued_card

MAIL, CARD = "mary.jones+shop@example.com", "4111 1111 1111 1111"
SECRETS = [MAIL, CARD, "5555555555554444", "3782-822463-10005", "mary%40example.com", "mary%2540example.com"]
RULES = rules_of(Masking())


def data(**members: Any) -> Raw:
    return Raw(msgspec.json.encode(members))


def masked(*events: Event, **masking: Any) -> list[Event]:
    return mask(make(*events, project=ProjectSettings(masking=Masking(**masking)))).events


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"write to {MAIL}, please", f"write to {MASK}, please"),
        (f"on 2026-11-21 with {CARD} 12/27", f"on 2026-11-21 with {MASK} 12/27"),
        ("https://shop.example/u/mary%40example.com/orders", f"https://shop.example/u/{MASK}/orders"),
        ("/a?token=abc&page=2#access_token=x;y", f"/a?token={MASK}&page=2#access_token={MASK}"),
        (
            "/a?next=https%3A%2F%2Fb%3Fapi_key%3Dabc%26page%3D2",
            f"/a?next=https%3A%2F%2Fb%3Fapi_key%3D{MASK}%26page%3D2",
        ),
        ("https://mary:hunter2@shop.example/a", f"https://{MASK}@shop.example/a"),
        ("login failed: password=hunter2 user 7", f"login failed: password={MASK} user 7"),
        ('{"password":"two words","a":1}', f'{{"password":"{MASK}","a":1}}'),
        ("Authorization: Bearer abc.def-123", f"Authorization: {MASK}"),
        ("a eyJhbGciOiJI.eyJzdWIiOiIx.c2ln b", f"a {MASK} b"),
    ],
)
def test_secrets_in_a_text_are_masked_and_the_rest_of_it_stays(text: str, left: str) -> None:
    assert RULES.text(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "logo@2x.png",
        "https://cdn.example/npm/jquery@3.6.0/dist/jquery.min.js",
        "order 1795255200000 of 2026-11-21 10:00:00.000",
        "6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11",
        "4111 1111 1111 1112",
        "52.520008 13.404954",
        "https://shop.example/search?q=lamp&color=red#top",
        "https://medium.example/@mary/post",
        "main > nav:nth-of-type(3) > a",
    ],
)
def test_what_only_resembles_a_secret_stays(text: str) -> None:
    assert RULES.text(text) == text


def test_few_random_numbers_are_taken_for_cards() -> None:
    source = random.Random(5)
    numbers = ["".join(source.choices("0123456789", k=source.randint(13, 19))) for _ in range(20_000)]
    assert sum(RULES.text(number) != number for number in numbers) < 0.015 * len(numbers)


@settings(deadline=None)
@given(st.text(max_size=40), st.sampled_from(SECRETS), st.text(max_size=40))
def test_a_secret_survives_in_no_text_and_masking_again_changes_nothing(before: str, secret: str, after: str) -> None:
    text = RULES.text(f"{before} {secret} {after}")
    assert secret not in text
    assert RULES.text(text) == text


@settings(deadline=None)
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(0, 10**12), st.floats(allow_nan=False, allow_infinity=False))
        | st.text("abc xyz", max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "price"]), inner),
    )
)
def test_clean_data_stays_byte_for_byte(value: Any) -> None:
    text = msgspec.json.encode(value)
    assert RULES.json(text) is text


@pytest.mark.parametrize("name", ["password", "cardNumber", "card-number", "userEmail", "access_token", "X-Api-Key"])
def test_members_with_secret_names_are_masked_at_any_depth(name: str) -> None:
    [line] = masked(event(event_type="custom", event_data=data(a=[{"b": {name: ["x", 1]}}])))
    assert msgspec.json.decode(line.event_data) == {"a": [{"b": {name: MASK}}]}


def test_members_that_only_resemble_secret_ones_stay() -> None:
    told = {"token_count": 5, "card": "product", "mobile": True, "pinned": 1, "at": 1795255200000, "keyboard": "de"}
    [line] = masked(event(event_type="custom", event_data=data(**told)))
    assert msgspec.json.decode(line.event_data) == told


@pytest.mark.parametrize(
    "field",
    [
        {"target_element": '<input type="password" class="a">'},
        {"target_element": "<input name=cardNumber>"},
        {"target_element": '<input autocomplete="one-time-code">'},
        {"target_id": "user_email"},
        {"target_selector": "form.a > input#iban"},
        {"target_class": "field phone-number"},
        {"input_masked": True},
        {"event_data": data(target={"name": "cvc"})},
        {"event_data": data(type="password", value="hunter2")},
    ],
)
def test_what_is_typed_into_a_secret_field_is_masked(field: dict[str, Any]) -> None:
    [line] = masked(event(event_type="input", input_value="hunter2", **field))
    assert "hunter2" not in repr(msgspec.json.encode(told(line)))
    assert line.input_value == MASK


def told(line: Event) -> dict[str, Any]:
    members = {name: getattr(line, name) for name in Event.__struct_fields__}
    return members | {"event_data": bytes(line.event_data).decode()}


def test_all_that_was_typed_into_a_field_is_masked_once_it_looks_secret() -> None:
    typed = [event(event_type="input", target_id="q", input_value=MAIL[:length]) for length in (1, 5, 12, len(MAIL))]
    assert {line.input_value for line in masked(*typed)} == {MASK}


def test_what_may_become_a_secret_is_masked_until_it_is_finished() -> None:
    lines = masked(
        *(event(event_type="input", target_id="q", input_value=value) for value in ("41111", "411111")),
        event(event_type="change", target_id="q", input_value="411111"),
        inputs="secrets",
    )
    assert [line.input_value for line in lines] == ["41111", MASK, "411111"]


def test_a_measured_value_on_a_field_stays() -> None:
    vital = data(name="INP", value=184, rating="good", id="v5-1795255200000-4111111111111")
    element = '<textarea name="message">hunter2</textarea>'
    [line] = masked(event(event_type="web_vital", target_element=element, event_data=vital))
    assert msgspec.json.decode(line.event_data)["value"] == 184
    assert "hunter2" not in (line.target_element or "")


def test_a_fields_element_tells_no_value() -> None:
    html = '<input type="password" value="hunter2" class="a">'
    area = "<textarea name=secret>hunter2</textarea>"
    lines = masked(event(target_element=html), event(target_element=area))
    assert [line.target_element for line in lines] == [
        f'<input type="password" value="{MASK}" class="a">',
        f"<textarea name=secret>{MASK}",
    ]


def test_a_target_is_masked_each_time_it_is_seen() -> None:
    target = {"target_element": f'<a title="{MAIL}">', "target_selector": f'a[title="{MAIL}"]', "target_id": MAIL}
    clicks = masked(*(event(event_type="click", **target, target_class="a") for _ in range(2)))
    names = ("target_element", "target_selector", "target_id", "target_class")
    told = [f'<a title="{MASK}">', f'a[title="{MASK}"]', MASK, "a"]
    assert [[getattr(line, name) for name in names] for line in clicks] == [told, told]


def test_only_short_targets_are_remembered() -> None:
    rules = rules_of(Masking(allow=("nobody else asks for this",)))
    short, long = event(target_selector="#short"), event(target_selector="#" + "x" * 2000)
    assert [target_of(rules, each).selector for each in (short, long)] == ["#short", long.target_selector]
    assert target_of(rules, short) is target_of(rules, short)
    assert target_of(rules, long) is not target_of(rules, long)


def test_only_short_fields_are_cached() -> None:
    rules = rules_of(Masking(allow=("nobody else asks for this",)))

    def field(size: int) -> Field:
        return field_of(rules, f'<input name="{"x" * size}">', None, None, None)

    assert field(100) is field(100)
    assert field(2000) is not field(2000)
    assert field_of(rules, None, None, None, None, (("name", "x" * 2000),)) is not field_of(
        rules, None, None, None, None, (("name", "x" * 2000),)
    )


CACHES = {
    f"{module.__name__}.{name}": cached
    for module in (form_fields, html_fields, rules_module, targets)
    for name, cached in vars(module).items()
    if hasattr(cached, "cache_info") and name.startswith("_")
}
"""All caches of masking that untrusted texts fill."""


def test_no_cache_of_masking_holds_more_than_its_bound() -> None:
    """40 requests of long texts once left 893 MB in memory."""
    rules = rules_of(Masking(allow=("nobody else asks for this either",)))
    for cached in CACHES.values():
        cached.cache_clear()
    gc.collect()
    tracemalloc.start()
    for number in range(ENTRIES + 50):
        text = f"{number:06}".ljust(CACHED - 6, "\U0001f600") + f"{number:06}"
        for long in (text, text * 3):
            rules.text(long)
            rules.is_parameter(long)
            rules.json(msgspec.json.encode({long: 1}))
            rules.json(msgspec.json.encode({long[-6:] + one: 1 for one in "abcdefghijklmnopqrstuvwxyz"}))
            target_of(rules, event(target_id=long))
            field_of(rules, None, long, None, None)
            without_value(f"<a {long[4:]}")
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(CACHES) == 7
    assert all(cached.cache_info().currsize == ENTRIES for cached in CACHES.values())
    assert used < len(CACHES) * 9_000_000


def test_a_project_has_no_cache_of_its_own() -> None:
    """Ten thousand projects would fill the memory."""
    rules = rules_of(Masking(allow=("nobody else asks for this either",)))
    assert not any(hasattr(member, "cache_info") for member in vars(rules).values())


@pytest.mark.parametrize("kind", ["keydown", "keyup", "custom_keys"])
def test_printing_keys_are_told_nowhere(kind: str) -> None:
    lines = masked(
        event(event_type=kind, key_pressed="h", event_data=data(key="h", code="KeyH", keyCode=72, which=72)),
        event(event_type=kind, key_pressed="Enter", event_data=data(key="Enter", code="Enter", keyCode=13)),
    )
    assert [line.key_pressed for line in lines] == ["char", "Enter"]
    assert [msgspec.json.decode(line.event_data) for line in lines] == [
        {"key": "char"},
        {"key": "Enter", "code": "Enter", "keyCode": 13},
    ]


def test_the_length_of_a_secret_is_not_told() -> None:
    [line] = masked(event(event_type="keydown", target_id="password", key_pressed="a", event_data=data(count=7)))
    assert bytes(line.event_data) == b"{}"


def test_a_project_masks_more() -> None:
    rules = {"fields": ("nickname",), "parameters": ("voucher",)}
    line, other = masked(
        event(event_type="input", target_id="nickname", input_value="mj", page_url="/a?voucher=7&page=2"),
        event(event_type="custom", event_data=data(nickname="mj")),
        **rules,
    )
    assert (line.input_value, line.page_url) == (MASK, f"/a?voucher={MASK}&page=2")
    assert bytes(other.event_data) == b'{"nickname":"********"}'


def test_a_project_allows_what_the_browser_did_not_mark() -> None:
    allowed = {"target_id": "newsletter_email", "input_value": MAIL, "event_type": "input", "page_url": "/a?code=77"}
    open_, marked = masked(
        event(**allowed), event(**allowed | {"input_masked": False}), allow=("newsletter_email", "CODE")
    )
    assert (open_.input_value, open_.page_url) == (MAIL, "/a?code=77")
    assert marked.input_value == MAIL
    [line] = masked(event(**allowed, input_masked=True), allow=("newsletter_email",))
    assert line.input_value == MASK


def test_a_project_cannot_allow_a_password() -> None:
    element = '<input type="password" name="q">'
    [line] = masked(event(event_type="change", target_element=element, input_value="hunter2"), allow=("q",))
    assert line.input_value == MASK
    [text] = masked(event(event_type="change", target_element='<input name="q">', input_value=MAIL), allow=("q",))
    assert text.input_value == MAIL


def test_a_session_says_nothing_secret_but_who_it_is() -> None:
    session = SessionFields(
        user_id=MAIL, user_email=MAIL, page_url=f"/?email={MAIL}", referrer="/?sid=7", metadata=b'{"token":"x","a":1}'
    )
    mask(make(session=session))
    assert (session.user_id, session.user_email) == (MAIL, MAIL)
    assert (session.page_url, session.referrer) == (f"/?email={MASK}", f"/?sid={MASK}")
    assert session.metadata == b'{"token":"********","a":1}'


def test_what_is_known_of_the_session_masks_later_batches() -> None:
    typed = event(
        event_type="change", target_id="q", input_value="hunter2", input_masked=False, event_data=data(value="hunter2")
    )
    batch = mask(make(typed))
    [kept] = hide_fields(batch.events, batch.open_fields, frozenset({"id other"}))
    assert kept is batch.events[0]
    [hidden] = hide_fields(batch.events, batch.open_fields, frozenset({"id q"}))
    assert (hidden.input_value, bytes(hidden.event_data)) == (MASK, b'{"value":"********"}')
    assert batch.events[0].input_value == "hunter2", "rows may be built again"


def test_the_check_digit_is_that_of_cards() -> None:
    assert is_issued_card("4111111111111111")
    assert not is_issued_card("4111111111111112")
    assert not is_issued_card("0")
