"""Parses `User-Agent` headers: browser, system, kind of device, and whether it is a bot."""

import re
from functools import lru_cache

import crawleruseragents
import ua_parser
from msgspec import Struct

AGENT_LENGTH = 1024
"""Longer headers are cut before anything is done with them."""
# Names of apps that the list of crawlers has too, for the previews that their servers make. The app itself shows pages
# in a browser's engine. Sonic is a part of Slack.
_APPS = ("WhatsApp", "Viber", "Sonic", "Notion/", "Tumblr/", "PayPal/", "Instapaper/", "Bluesky/", "Asana/")
# Libraries by which apps on phones send: React Native on Android and iOS, Android's own.
_APP_LIBRARIES = ("okhttp/", "CFNetwork/", "Dalvik/")
_MOBILE = ("Mobi", "iPhone", "iPod", "Windows Phone", *_APP_LIBRARIES)
_TABLET = ("iPad", "Tablet;", "Kindle", "Silk/")  # "Tablet PC 2.0" is in the header of desktops with Windows
# HbbTV, AppleTV11,1, SMART-TV, MiTV-MSSP1, Android TV; not the build of a phone, such as Build/TVPS.
_TV = re.compile(
    r"(?<![A-Z0-9/])TV|TV(?![A-Z0-9])|BRAVIA|CrKey/|; AFT[A-Z]|VIZIO|Web0S|NetCast|Roku/|MIBOX|Chromecast", re.ASCII
)


class Agent(Struct, frozen=True):
    """Names as the field uses them: `Chrome`, `Mac OS X`, `desktop`. A television is a `desktop`."""

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
    text = user_agent.replace("okhttp/", "")
    if text.startswith("Mozilla/5.0 (") and " AppleWebKit/" in text:
        for name in _APPS:
            text = text.replace(name, "")
    return "known crawler" if crawleruseragents.is_crawler(text) else None


def _device_type(user_agent: str) -> str:
    if _TV.search(user_agent):
        return "desktop"
    is_app = any(word in user_agent for word in _APP_LIBRARIES)
    is_large_android = "Android" in user_agent and "Mobile" not in user_agent and not is_app
    if is_large_android or any(word in user_agent for word in _TABLET):
        return "tablet"
    return "mobile" if any(word in user_agent for word in _MOBILE) else "desktop"
