"""The cookie of a browser that is logged in."""

import pytest

from tracker_backend.http.auth.cookies import LIFE_DAYS, NAME, Cookies

COOKIES = Cookies(b"s" * 32)


def test_a_cookie_is_for_this_server_only_and_no_script_can_read_it() -> None:
    _, cookie = COOKIES.make(secure=True)
    told = cookie.to_header(header="").lower()
    assert "httponly" in told
    assert "samesite=lax" in told
    assert "secure" in told
    assert "path=/" in told
    assert f"max-age={LIFE_DAYS * 86_400}" in told
    assert "domain" not in told
    assert "secure" not in COOKIES.make(secure=False)[1].to_header(header="").lower()


@pytest.mark.parametrize(
    "around", ["{}", "a=1; {}; b=2", 'bad{{"x": 1}}; [y]={{]; {}', "tracker_login=old.signature; {}"]
)
def test_the_token_is_found_among_other_cookies(around: str) -> None:
    token, cookie = COOKIES.make(secure=False)
    assert COOKIES.token_in(around.format(f"{NAME}={cookie.value}")) == token


def test_a_cookie_that_was_changed_or_made_up_holds_no_token() -> None:
    token, cookie = COOKIES.make(secure=False)
    value = cookie.value or ""
    other = "B" if value[0] == "A" else "A"
    made_up = [
        other + value[1:],
        value[:-2] + ("AA" if value[-2:] != "AA" else "BB"),
        token,
        f"{token}.",
        "",
        ".",
        "\xff.",
    ]
    for wrong in [*made_up, Cookies(b"t" * 32).make(secure=False)[1].value]:
        assert COOKIES.token_in(f"{NAME}={wrong}") is None, wrong
    assert COOKIES.token_in(f"x{NAME}={value}") is None
    assert COOKIES.token_in(None) is None


def test_a_browser_is_known_for_its_account_alone() -> None:
    cookie = COOKIES.make_device("ann@shop.example", None, secure=True)
    header = f"a=1; {cookie.key}={cookie.value}"
    device = COOKIES.device_in(header, "ann@shop.example")
    assert device
    assert "ann" not in (cookie.value or "")
    assert COOKIES.device_in(header, "bob@shop.example") is None
    assert Cookies(b"t" * 32).device_in(header, "ann@shop.example") is None
    assert COOKIES.device_in(f"{cookie.key}={device}", "ann@shop.example") is None
    assert COOKIES.device_in(None, "ann@shop.example") is None
    again = COOKIES.make_device("ann@shop.example", header, secure=True)
    assert again.value == cookie.value
    told = cookie.to_header(header="").lower()
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= {part.strip() for part in told.split(";")}


def test_each_login_has_a_csrf_token_of_its_own() -> None:
    one, two = COOKIES.make(secure=False)[0], COOKIES.make(secure=False)[0]
    assert COOKIES.csrf_token(one) == COOKIES.csrf_token(one)
    assert COOKIES.csrf_token(one) != COOKIES.csrf_token(two)
    assert COOKIES.csrf_token(one) != Cookies(b"t" * 32).csrf_token(one)
