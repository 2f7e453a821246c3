"""What a test needs that drives a real Chromium from Node."""

import os
import shutil
from pathlib import Path

import pytest

NODE_MODULES = Path(__file__).parents[2] / "tracker_js" / "node_modules"
CHROMIUM = Path(os.environ.get("CHROMIUM") or "/usr/bin/chromium")


def needs_chromium(*packages: str) -> list[pytest.MarkDecorator]:
    """Marks of a module whose driver imports these packages of Node."""
    return [
        pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no Chromium at {CHROMIUM} (set CHROMIUM)"),
        pytest.mark.skipif(shutil.which("node") is None, reason="no node on PATH"),
        pytest.mark.skipif(
            not all((NODE_MODULES / name).exists() for name in packages),
            reason="no tracker_js/node_modules (npm ci in tracker_js)",
        ),
    ]
