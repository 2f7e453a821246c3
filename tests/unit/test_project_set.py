"""What `tracker-backend project set` makes of its words."""

import pytest

from tracker_backend.commands.projects import read_values
from tracker_backend.errors import Invalid


@pytest.mark.parametrize(
    ("words", "change"),
    [
        (["retention_days=14"], {"retention_days": 14}),
        (["sampling_rate=0.25", "record=true"], {"sampling_rate": 0.25, "record": True}),
        (
            ["allowed_origins=https://a.example, https://*.a.example,"],
            {"allowed_origins": ("https://a.example", "https://*.a.example")},
        ),
        (["masking.inputs=all", "masking.fields=iban"], {"masking": {"inputs": "all", "fields": ("iban",)}}),
        (["retention_days=", "masking.allow="], {"retention_days": None, "masking": {"allow": None}}),
        (["masking.fields=a=b"], {"masking": {"fields": ("a=b",)}}),
    ],
)
def test_words_are_a_change(words: list[str], change: dict[str, object]) -> None:
    assert read_values(words) == change


@pytest.mark.parametrize(
    ("word", "tells"),
    [
        ("retention_days", "name=value"),
        ("retention=14", "retention_days"),
        ("masking=all", "masking.inputs"),
        ("masking.colour=red", "masking.inputs"),
        ("record.inputs=all", "masking.inputs"),
        ("retention_days=soon", "'soon'"),
        ("retention_days=0", "'0'"),
        ("masking.inputs=some", "'some': give all or secrets"),
        ("record=perhaps", "'perhaps'"),
    ],
)
def test_what_is_no_setting_is_refused_with_a_text(word: str, tells: str) -> None:
    with pytest.raises(Invalid, match=tells):
        read_values([word])
