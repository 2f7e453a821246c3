"""Which passwords are taken, and how they are stored."""

import unicodedata
from typing import Any

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from tracker_backend.accounts import passwords
from tracker_backend.errors import Invalid

pytestmark = pytest.mark.usefixtures("real_passwords")

EMAIL = "ann@shop.example"


@pytest.mark.parametrize(
    ("password", "told"),
    [("short", "5 characters"), ("x" * 257, "257 characters"), (EMAIL.upper(), "is the e-mail"), ("", "0 characters")],
)
def test_a_password_that_is_too_short_or_too_long_or_the_email_is_refused(password: str, told: str) -> None:
    with pytest.raises(Invalid, match=told) as refused:
        passwords.check_new_password(password, EMAIL)
    assert password not in str(refused.value) or len(password) < 6


def test_any_signs_will_do() -> None:
    for password in ("aaaaaaaaaa", "1234567890", "ünïcødé 🙂 words", "x" * 256):
        passwords.check_new_password(password, EMAIL)


async def test_a_password_is_stored_as_argon2id_and_recognised() -> None:
    stored = await passwords.make_hash("a few words together")
    assert extract_parameters(stored).type is Type.ID
    assert extract_parameters(stored).memory_cost >= 65536
    assert "words" not in stored
    assert await passwords.verify(stored, "a few words together")
    assert not await passwords.verify(stored, "a few words togetheR")
    assert not passwords.needs_rehash(stored)
    assert passwords.needs_rehash(PasswordHasher(time_cost=1, memory_cost=1024).hash("x"))


async def test_the_same_letters_are_the_same_password_on_every_keyboard() -> None:
    stored = await passwords.make_hash(unicodedata.normalize("NFD", "éééééééééé"))
    assert await passwords.verify(stored, unicodedata.normalize("NFC", "éééééééééé"))


async def test_without_an_account_the_same_work_says_no(monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []
    verify = PasswordHasher.verify

    def spy(self: PasswordHasher, stored: Any, password: Any) -> Any:
        checked.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", spy)
    stored = await passwords.make_hash("a few words together")
    assert not await passwords.verify(stored, "some other words")
    assert not await passwords.verify(None, "some other words")
    known, nobodys = (extract_parameters(it) for it in checked)
    assert known == nobodys
