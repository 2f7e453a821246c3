"""What `/docs` shows of this dialect."""

from typing import Any

SNAPSHOTS: dict[str, Any] = {
    "sdk_key": "tb_w_your-public-write-key",
    "session_id": "sess_1795255200_abc123",
    # compressToBase64 of [{"type":4,"data":{"href":"https://shop.example/"},"timestamp":1795255200000}]
    "snapshots": "NobwRALgngDgpmAXAFgDRgCYEMJaeACwCc4AzJMAiCGAZ0QHoHaCB7GAOjgA8sBbGABs4DMAF90EAJZ84tXAKQBGAOwBOAKw"
    "AmDdoAMBg2IC6QA=",
    "snapshot_count": 1,
    "is_initial_snapshot": True,
    "device_info": {"screen_width": 1920, "screen_height": 1080, "language": "en-GB"},
}
EVENTS: dict[str, Any] = {
    "sdk_key": "tb_w_your-public-write-key",
    "session_id": "sess_1795255200_abc123",
    "events": [{"type": "add_to_cart", "timestamp": 1795255204250, "data": {"product": 17}}],
}
