"""The mix that every figure is measured with: 60 % mousemove, 15 % scroll, 15 % click, 5 % input, 5 % custom."""

import random
from datetime import datetime, timedelta
from typing import Any

_TYPES = ("mousemove", "scroll", "click", "input", "custom")
_WEIGHTS = (60, 15, 15, 5, 5)
_HOST = "https://shop.example"
_PAGES = (
    "/",
    "/products",
    "/products/17",
    "/products/42?color=red",
    "/cart",
    "/checkout",
    "/account/orders",
    "/search?q=lamp",
)
_TARGETS = (
    ("button", "add-to-cart", "btn btn-primary", "#add-to-cart"),
    ("a", None, "nav-link", "main > nav > ul > li:nth-of-type(3) > a"),
    ("div", None, "card product-card", "#products > div:nth-of-type(7)"),
    ("input", "email", "form-control", "#email"),
    ("img", None, "hero", "main > section:nth-of-type(1) > img"),
)


def events(n_sessions: int, events_per_session: int, start: datetime, seed: int = 0) -> list[dict[str, Any]]:
    """Events as sent on the wire, session after session; those of a session lie up to 5 minutes before `start`."""
    source = random.Random(seed)
    made: list[dict[str, Any]] = []
    for _ in range(n_sessions):
        at = start - timedelta(minutes=5)
        page = source.choice(_PAGES)
        step = timedelta(minutes=5) / (events_per_session + 1)
        x, y, scroll = source.randrange(1200), source.randrange(700), 0
        for _ in range(events_per_session):
            at += step
            if source.random() < 0.01:
                page, scroll = source.choice(_PAGES), 0
            x = min(1279, max(0, x + source.randint(-40, 40)))
            y = min(719, max(0, y + source.randint(-30, 30)))
            kind = source.choices(_TYPES, _WEIGHTS)[0]
            event: dict[str, Any] = {
                "timestamp": round(at.timestamp() * 1000),
                "event_type": kind,
                "page_url": _HOST + page,
            }
            if kind == "scroll":
                scroll = max(0, scroll + source.randint(-100, 300))
                event |= {"scroll_x": 0, "scroll_y": scroll}
            elif kind == "custom":
                event["event_data"] = {"name": "price_seen", "price": source.randrange(100, 9900) / 100, "variant": "b"}
            else:
                event |= {"viewport_x": x, "viewport_y": y}
            if kind in ("click", "input"):
                tag, element_id, classes, selector = source.choice(_TARGETS)
                event |= {"target_tag": tag, "target_class": classes, "target_selector": selector}
                event["target_element"] = f'<{tag} class="{classes}">'
                if element_id:
                    event["target_id"] = element_id
            if kind == "click":
                event |= {"screen_x": x, "screen_y": y + 80, "mouse_button": 0, "click_count": 1}
            if kind == "input":
                event |= {"input_value": "********", "input_masked": True}
            made.append(event)
    return made
