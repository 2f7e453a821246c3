"""The server without keys, limits and masking, to see what they cost: `python -m bench.bare serve`."""

from typing import Any

from tracker_backend import cli
from tracker_backend.accounts.project_settings import DEFAULT
from tracker_backend.http.auth.access import Access, Caller
from tracker_backend.ingest import pipeline
from tracker_backend.masking.rrweb import Masked
from tracker_backend.recordings import reading

_CALLER = Caller(1, "local", DEFAULT)
_NOTHING = Masked({}, frozenset(), frozenset(), frozenset())


async def _anybody(self: Access, *_: Any, **__: Any) -> Caller:
    return _CALLER


def _unmasked(*_: Any) -> Masked:
    return _NOTHING


def main() -> None:
    """Takes them out, then does what `tracker-backend` does."""
    Access.authorize = _anybody
    reading.mask_rrweb_events = _unmasked
    pipeline.STEPS = tuple(step for step in pipeline.STEPS if step is not pipeline.mask_secrets)
    cli.main()


if __name__ == "__main__":
    main()
