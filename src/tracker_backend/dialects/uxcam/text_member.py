"""Takes one text out of a JSON body as it was sent, where everything else is read after `clean_json`."""

import json

import msgspec

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_text_member(body: bytes, cleaned: bytes, name: str) -> str | None:
    """The text of a member of the body's object, with U+0000 and lone surrogates kept; None where it is no text.

    Also None when the body is no JSON object: whoever reads the rest of it says so. `body` is inflated; `cleaned` is
    what `clean_json` makes of it.
    msgspec refuses lone surrogates even in what it only skips, so the member is found in the cleaned body. An escape
    and its replacement have the same length, so it stands at the same place in what was sent. Bytes that are not UTF-8
    (no browser sends any) do change the length; then the cleaned text is given.
    """
    try:
        member = _members.decode(cleaned).get(name)
    except (msgspec.MsgspecError, RecursionError):
        return None
    if member is None:
        return None
    sent = bytes(member)
    if not sent.startswith(b'"'):
        return None
    if cleaned is not body and len(cleaned) == len(body):
        start = cleaned.find(sent)
        sent = body[start : start + len(sent)]
    return json.loads(sent.decode(errors="replace"))
