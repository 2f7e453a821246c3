"""Paths of the files that are not Python: in a wheel beside the code, in a checkout at its top."""

from pathlib import Path

_HERE = Path(__file__).parent
_BUNDLED = _HERE / "_bundled"

SCHEMA = _BUNDLED / "schema" if (_BUNDLED / "schema").is_dir() else _HERE.parents[1] / "schema"
TRACKER_JS = _BUNDLED / "tracker_js" if (_BUNDLED / "tracker_js").is_dir() else _HERE.parents[1] / "tracker_js" / "dist"
