"""What `/docs` shows of this dialect."""

from typing import Any

from tracker_backend.http.examples import RECORDING, SESSION_ID

EVENTS: dict[str, Any] = {
    "sessionId": SESSION_ID,
    "projectId": "tb_w_your-public-write-key",
    "events": RECORDING["events"],
}
