"""The tag records visits of a real Chromium; what it sent is read back and replayed there.

`recording/` holds the recorded page; everything that leaves it passes a gate, which keeps the bodies.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.chromium import needs_chromium
from tests.e2e.driver import drive

HERE = Path(__file__).parent
MASK = "********"
META, FULL_SNAPSHOT = 4, 2

pytestmark = [pytest.mark.tiers("plain"), *needs_chromium("playwright-core", "@rrweb/record", "rrweb-player")]
Seen = dict[str, Any]


def see(server_url: str, name: str) -> Seen:
    """Of all visits, which take some thirty seconds together, those of this name."""
    found: Seen = drive(HERE / "recording.mjs", server_url)[name]
    assert "failed" not in found, found["failed"]
    return found


def visits(name: str) -> Callable[[str], Seen]:
    """A fixture: the visits of this name, see `recording.mjs`."""

    @pytest.fixture(name=name)
    def fixture(server_url: str) -> Seen:
        return see(server_url, name)

    return fixture


equal, canaries, modes, sessions, pauses, more, leftovers = map(
    visits, ("equal", "canaries", "modes", "sessions", "pauses", "more", "leftovers")
)


def test_a_replay_ends_as_the_visit_ended(equal: Seen) -> None:
    assert "Opened by a click 🎉" in str(equal["left"])
    assert "Changed in the shadow" in str(equal["left"])
    assert equal["replayed"]["state"] == equal["left"]


def test_every_event_that_was_sent_is_stored_once(equal: Seen) -> None:
    assert equal["answers"] == [201]
    assert equal["count"] == equal["sent"] > 20


def test_the_page_notices_nothing(equal: Seen) -> None:
    assert equal["errors"] == []


def test_a_replay_shows_masks_and_what_was_allowed(equal: Seen) -> None:
    fields = dict(equal["replayed"]["fields"])
    assert (fields["name"], fields["town"], fields["note"]) == (MASK, "Lisbon", "")


def test_an_image_is_within_the_recording(equal: Seen) -> None:
    assert equal["replayed"]["picture"] == "data:image/webp;"


def test_what_is_masked_is_in_no_request(canaries: Seen) -> None:
    assert canaries["paths"] == ["/sessions", "/track", "/track/recording", "/track/screenshot"]
    assert canaries["found"] == []


def test_neither_letters_nor_their_number_are_told(canaries: Seen) -> None:
    assert canaries["letters"] == []
    assert canaries["told"] == [MASK]
    # One for each field, however many letters were typed into it, and one for the box that was ticked.
    assert canaries["inputs"] <= 12


def test_a_visit_that_is_too_short_leaves_no_recording(modes: Seen) -> None:
    assert modes["short"] == 0


def test_a_session_outside_of_the_share_is_not_recorded_unless_the_page_asks(modes: Seen) -> None:
    assert modes["unsampled"] == 0
    assert modes["asked"] >= 2


def test_with_errors_only_a_recording_begins_before_the_error(modes: Seen) -> None:
    assert modes["beforeError"] == 0
    assert modes["afterError"] == [META, FULL_SNAPSHOT]
    assert modes["kite"] == "Added kite 1"


def test_a_new_session_begins_with_a_snapshot(sessions: Seen) -> None:
    assert sessions["renewed"] != sessions["first"]
    assert sessions["renewedTypes"] == [META, FULL_SNAPSHOT]
    assert sessions["clicks"] == 1


def test_of_two_tabs_the_one_that_is_used_is_recorded(sessions: Seen) -> None:
    assert sessions["same"]
    assert not sessions["unseen"]
    assert sessions["list"] == ["Box kite", "Delta kite", "Unseen kite", "Added kite 1"]


def test_nothing_is_told_while_nobody_is_there(pauses: Seen) -> None:
    assert pauses["away"] == [1, False]


def test_whoever_comes_back_is_shown_the_page_as_it_has_become(pauses: Seen) -> None:
    assert pauses["back"] == 2
    expected = ["Box kite", "Delta kite", "Added kite 1", "Unseen kite", "Added kite 2", "Seen kite"]
    assert pauses["list"] == expected


def test_a_canvas_is_recorded_but_no_private_one(more: Seen) -> None:
    assert more["canvases"] == 1


def test_a_frame_of_another_site_is_recorded_masked(more: Seen) -> None:
    assert more["click"]
    assert more["found"] == []
    assert more["errors"] == []


def test_nothing_of_the_recorder_stays_behind(leftovers: Seen) -> None:
    assert leftovers["added"] > 10
    assert len(leftovers["changedDuring"]) > 5
    assert (leftovers["left"], leftovers["changed"], leftovers["afterwards"]) == ([], [], 0)
