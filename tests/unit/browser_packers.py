"""The bodies that a browser sends with what `lz-string` and `pako` made, from those libraries themselves in Node."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest

TRACKER_JS = Path(__file__).parents[2] / "tracker_js"
LZ = ("compress", "compressToUTF16", "compressToBase64", "compressToEncodedURIComponent")
PAKO = ("deflate", "gzip", "deflateRaw")

# A line with a JSON text in, a line with base64 of the body for each packer out. Buffer.from encodes as fetch does.
_SCRIPT = """
import { createInterface } from 'node:readline';
import LZString from 'lz-string';
import * as pako from 'pako';
const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const body = (snapshots) => base64(JSON.stringify({ sdk_key: 'ux_1', snapshots, session_id: 'sess_1' }));
for await (const line of createInterface({ input: process.stdin })) {
  const text = JSON.parse(line);
  const bodies = {};
  for (const name of %s) bodies[name] = body(LZString[name](text));
  for (const name of %s) bodies[name] = body(base64(pako[name](text)));
  console.log(JSON.stringify(bodies));
}
"""

needs_packers = [
    pytest.mark.skipif(shutil.which("node") is None, reason="no node on PATH"),
    pytest.mark.skipif(
        not (TRACKER_JS / "node_modules" / "lz-string").exists() or not (TRACKER_JS / "node_modules" / "pako").exists(),
        reason="no tracker_js/node_modules (npm ci in tracker_js)",
    ),
]


class Packers:
    """A Node process that packs one text after the other."""

    def __init__(self) -> None:
        script = _SCRIPT % (json.dumps(LZ), json.dumps(PAKO))
        self._node = subprocess.Popen(
            ["node", "--input-type=module", "--eval", script],
            cwd=TRACKER_JS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._packed: dict[str, dict[str, bytes]] = {}

    def pack(self, text: str) -> dict[str, bytes]:
        """The body of each packer's name, `snapshots` in it being the packed text."""
        if text not in self._packed:
            assert self._node.stdin is not None
            assert self._node.stdout is not None
            self._node.stdin.write(json.dumps(text).encode() + b"\n")
            self._node.stdin.flush()
            bodies: dict[str, str] = json.loads(self._node.stdout.readline())
            self._packed[text] = {name: base64.b64decode(body) for name, body in bodies.items()}
        return self._packed[text]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._node.communicate()  # its input ends, and so does it
