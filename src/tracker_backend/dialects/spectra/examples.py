"""What `/docs` shows of this dialect's requests."""

from typing import Any

SESSION_ID = "6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11"
START: dict[str, Any] = {
    "sessionId": SESSION_ID,
    "userId": "customer-17",
    "appId": "shop",
    "ticketId": "T-4711",
    "startTime": 1795255200000,
    "metadata": {
        "url": "https://shop.example/",
        "referrer": "https://search.example/",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0.0.0",
        "screen": {"width": 1920, "height": 1080, "colorDepth": 24},
        "viewport": {"width": 1280, "height": 720},
        "language": "en",
        "platform": "Linux x86_64",
    },
}
BATCH: dict[str, Any] = {
    "sessionId": SESSION_ID,
    "events": {
        "compressed": True,
        "data": "eJx1jcEKwjAQRP9lzouNsbF1f0U8BBtNwNLQbLGl9N9dQfHknoadmTfnFbLkAK4JnRcPXhHHcAMjiuTCVVXikHdh9n1+"
        "hAqEZ+okgve2NYQY0j0KuLFmI0jqQxFNqt2cnHXOmvdt9J05/GbKMI1XfVn6eCpSpyjCDD7WSl+00P4D19aZ7fICdYg48A==",
    },
    "customEvents": [
        {"type": "custom", "eventType": "purchase", "data": {"product": 17}, "timestamp": 1795255204300},
    ],
    "errors": [
        {
            "type": "TypeError",
            "message": "x is undefined",
            "stack": "TypeError: x is undefined\n    at shop.js:1:1",
            "timestamp": 1795255204400,
        }
    ],
    "metadata": {"timestamp": 1795255205000, "eventCount": 2, "customEventCount": 1, "errorCount": 1},
}
HEARTBEAT: dict[str, Any] = {
    "timestamp": 1795255230000,
    "stats": {"eventCount": 2, "errorCount": 1, "clickCount": 1},
}
END: dict[str, Any] = {"endTime": 1795255260000, "stats": {"eventCount": 2, "errorCount": 1, "clickCount": 1}}
