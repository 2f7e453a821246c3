"""Writes `kept.json`: texts that are shaped like those of real sites and hold no secret.

Run it by `python -m tests.masking.make_kept`.
The random part has a fixed seed, so that the file changes only with this module.
"""

import base64
import json
import random
from pathlib import Path

FILE = Path(__file__).parent / "kept.json"
HAND_MADE = [
    "logo@2x.png",
    "/img/logo@2x.5d5d9eef.png",
    "https://cdn.example/npm/jquery@3.6.0/dist/jquery.min.js",
    "https://cdn.example/npm/@scope/lib@1.2.3/index.js",
    "vue@next.js",
    "https://medium.example/@mary/post",
    "medium.com/@user and vue@3.4.1",
    "@media screen and (min-width: 600px)",
    "0.8472111111111111",
    "52.4111111111111111",
    "translate(4.1111111111111111px, 3.7822822463100051px)",
    "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXoCC==",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCC==",
    "4006381333931",
    "EAN 4012345678901",
    "ISBN 978-3-16-148410-0",
    "order 1795255200000 of 2026-11-21 10:00:00.000",
    "1795255200000000",
    "6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11",
    "4111 1111 1111 1112",
    "DE89 3704 0044 0532 0130 01",
    "52.520008 13.404954",
    "a lamp for 12.50",
    "basic knowledge of cookies",
    "Basic authentication is off",
    "the bearer certificate",
    "We use cookies: they help us.",
    "pk_live_51H8xYzAbCdEfGhIjKlMnOp",
    "eyJust a word",
    "-----BEGIN CERTIFICATE-----",
    "/reset/password",
    "/verify/email/step-2",
    "/confirm/2026-11-21",
    "/invite/new-members",
    "/magic/unicorns.html",
    "/products/4006381333931",
    "/orders/2026/11/21",
    "/blog/how-to-reset-your-password-in-5-steps",
    "/password/new",
    "main > nav:nth-of-type(3) > a",
    "passenger: 2, compass: north",
    "tokens_used: 512",
    "?q=lamp&color=red&shipping=1&footprint=2&keyboard=de",
    "?zipcode_area=7&sessions=3&authors=x&compass=n&passenger=2",
    "?utm_source=newsletter&utm_campaign=2026-11&gclid=Cj0KCQiA",
    "web vital INP 184 on #checkout",
]
WORDS = "lamp chair table garden red blue oak wool new sale kids home office outdoor classic modern small large".split()  # noqa: SIM905
HOSTS = "shop.example www.store.example cdn.assets.example blog.example".split()  # noqa: SIM905


def _digits(source: random.Random, count: int) -> str:
    return "".join(source.choices("0123456789", k=count))


def _hex(source: random.Random, count: int) -> str:
    return f"{source.getrandbits(4 * count):0{count}x}"


def _ean(source: random.Random, prefix: str) -> str:
    body = prefix + _digits(source, 12 - len(prefix))
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(body))
    return f"{body}{-total % 10}"


def _slug(source: random.Random) -> str:
    return "-".join(source.sample(WORDS, 3))


def _url(source: random.Random) -> str:
    price = f"{source.randrange(900)}.{_digits(source, 2)}"
    query = f"?page={source.randrange(1, 40)}&sort={source.choice(WORDS)}&price={price}"
    path = source.choice(("products", "c", "p", "blog", "search", "static/img", "api/v2/items"))
    tail = source.choice(("", query, "#reviews", query + "#top"))
    return f"https://{source.choice(HOSTS)}/{path}/{_slug(source)}-{source.randrange(10**6)}{tail}"


def _asset(source: random.Random) -> str:
    kind = source.choice(("png", "css", "js", "woff2", "webp", "svg"))
    return f"/assets/{source.choice(WORDS)}{source.choice(('', '@2x', '@3x'))}.{_hex(source, 8)}.{kind}"


def _path(source: random.Random) -> str:
    points = (f"{source.uniform(0, 900):.{source.randrange(1, 16)}f}" for _ in range(8))
    return "M" + " ".join(points) + "z"


def _base64(source: random.Random) -> str:
    return base64.b64encode(source.randbytes(source.randrange(12, 48))).decode()


def kept() -> list[str]:
    """The texts: those made by hand, then a thousand made up."""
    source = random.Random(14)
    made = [*HAND_MADE]
    made += (_url(source) for _ in range(250))
    made += (_asset(source) for _ in range(150))
    made += (_path(source) for _ in range(150))
    made += (_base64(source) for _ in range(100))
    made += (_hex(source, source.choice((8, 16, 32, 40, 64))) for _ in range(100))
    made += (_ean(source, source.choice(("40", "41", "43", "50", "87", "978"))) for _ in range(100))
    made += (f"{source.uniform(0, 1):.16f}" for _ in range(100))
    made += (f"{source.randrange(10, 9999)}.{_digits(source, 2)} EUR" for _ in range(50))
    return made


if __name__ == "__main__":
    FILE.write_text(json.dumps(kept(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
