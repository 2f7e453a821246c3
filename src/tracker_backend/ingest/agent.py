"""Parses `User-Agent` headers: browser, system, kind of device, and whether it is a bot."""

from functools import lru_cache

import crawleruseragents
import ua_parser
from msgspec import Struct

AGENT_LENGTH = 1024
"""Longer headers are cut before anything is done with them."""
_MOBILE = ("Mobi", "iPhone", "iPod", "Windows Phone")
_TABLET = ("iPad", "Tablet", "Kindle", "Silk/")


class Agent(Struct, frozen=True):
    """Names as the field uses them: `Chrome`, `Mac OS X`, `desktop`."""

    browser: str | None
    os: str | None
    device_type: str
    is_bot: bool
    bot_reason: str | None


@lru_cache(maxsize=4096)
def parse_agent(user_agent: str) -> Agent:
    """Parses a header (0.1 ms when it is new, mostly for the list of crawlers)."""
    result = ua_parser.parse(user_agent)
    reason = _bot_reason(user_agent)
    return Agent(
        browser=result.user_agent.family if result.user_agent else None,
        os=result.os.family if result.os else None,
        device_type=_device_type(user_agent),
        is_bot=reason is not None,
        bot_reason=reason,
    )


def _bot_reason(user_agent: str) -> str | None:
    if not user_agent:
        return "no user agent"
    return "known crawler" if crawleruseragents.is_crawler(user_agent) else None


def _device_type(user_agent: str) -> str:
    if any(word in user_agent for word in _TABLET) or ("Android" in user_agent and "Mobile" not in user_agent):
        return "tablet"
    return "mobile" if any(word in user_agent for word in _MOBILE) else "desktop"
