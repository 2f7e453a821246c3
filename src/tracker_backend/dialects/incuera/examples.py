"""What `/docs` shows of this dialect's requests."""

from typing import Any

SESSION_ID = "session_1795255200_abc123"
START: dict[str, Any] = {
    "sessionId": SESSION_ID,
    "userId": "customer-17",
    "userEmail": "customer@shop.example",
    "metadata": {
        "url": "https://shop.example/",
        "referrer": "",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0.0.0",
        "screen": {"width": 1920, "height": 1080},
        "viewport": {"width": 1280, "height": 720},
        "timestamp": 1795255200000,
    },
}
INGEST: dict[str, Any] = {
    "sessionId": SESSION_ID,
    "events": [
        {
            "type": 4,
            "data": {"href": "https://shop.example/", "width": 1280, "height": 720},
            "timestamp": 1795255200000,
        },
        {"type": 3, "data": {"source": 2, "type": 2, "id": 7, "x": 640, "y": 380}, "timestamp": 1795255204250},
    ],
    "timestamp": 1795255205000,
}
