"""Puts what is not Python into the packages: the schema and the built tracker.

The tracker's build is made, not checked in. Without it the package would be made and then serve nothing, so a missing
one ends the build.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_BUILT = "tracker_js/dist"
_NEEDED = ("tracker.js", "demo/index.html", "docs/swagger-ui-bundle.js")
_IN_WHEEL = {"schema": "tracker_backend/_bundled/schema", _BUILT: "tracker_backend/_bundled/tracker_js"}


class Hook(BuildHookInterface[Any]):
    """Runs for wheels and sdists. An editable install reads both folders where they are."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the files, or raises if the tracker was not built."""
        if version == "editable":
            return
        missing = [name for name in _NEEDED if not Path(self.root, _BUILT, name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{_BUILT} lacks {', '.join(missing)}: run `make build`, it builds the tracker first."
            )
        build_data["force_include"].update(_IN_WHEEL if self.target_name == "wheel" else {_BUILT: _BUILT})
