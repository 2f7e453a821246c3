"""What `/docs` shows of request bodies, which handlers read as raw bytes: schemas of the wire structs, examples."""

from dataclasses import dataclass
from typing import Any, cast

import msgspec
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, RequestBody, Schema

SESSION_ID = "6f1c0c6e-9f0a-4b7e-8f52-3d5a5b8f0a11"

SESSION: dict[str, Any] = {
    "session_id": SESSION_ID,
    "page_url": "https://shop.example/",
    "user_id": "customer-17",
    "screen_width": 1920,
    "screen_height": 1080,
    "metadata": {"plan": "pro"},
}
TRACK: dict[str, Any] = {
    "session_id": SESSION_ID,
    "batch_id": "b-1",
    "sent_at": "2026-11-21T10:00:05Z",
    "events": [
        {"timestamp": "2026-11-21T10:00:00Z", "event_type": "pageview", "page_url": "https://shop.example/"},
        {
            "timestamp": "2026-11-21T10:00:04.250Z",
            "event_type": "click",
            "page_url": "https://shop.example/",
            "target_selector": "#buy",
            "target_tag": "button",
            "viewport_x": 640,
            "viewport_y": 380,
            "event_data": {"product": 17},
        },
    ],
}
RECORDING: dict[str, Any] = {
    "session_id": SESSION_ID,
    "batch_id": "r-1",
    "events": [
        {
            "type": 4,
            "data": {"href": "https://shop.example/", "width": 1280, "height": 720},
            "timestamp": 1795255200000,
        },
        {"type": 3, "data": {"source": 2, "type": 2, "id": 7, "x": 640, "y": 380}, "timestamp": 1795255204250},
    ],
}
SCREENSHOT: dict[str, Any] = {
    "session_id": SESSION_ID,
    "page_url": "https://shop.example/",
    "timestamp": "2026-11-21T10:00:02Z",
    "image_data": "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "width": 1,
    "height": 1,
}


def operation(kind: type[msgspec.Struct], example: dict[str, Any], **more: dict[str, Any]) -> type[Operation]:
    """The OpenAPI operation of a route that reads `kind` from its raw body; `more` are examples by their names."""
    body = RequestBody(
        required=True,
        content={
            "application/json": OpenAPIMediaType(
                schema=_schema(msgspec.json.schema(kind)),
                examples={name: Example(value=value) for name, value in {"example": example, **more}.items()},
            )
        },
    )

    @dataclass
    class WithBody(Operation):
        def __post_init__(self) -> None:
            self.request_body = body

    return WithBody


class _Inline(Schema):
    """A JSON schema given as it is."""

    def __init__(self, schema: dict[str, Any]) -> None:
        super().__init__()
        self._inline = schema

    def to_schema(self) -> dict[str, Any]:
        return self._inline


def _schema(schema: dict[str, Any]) -> Schema:
    """msgspec's schema with its references put in place, so that it stands on its own in the document."""
    definitions: dict[str, Any] = schema.pop("$defs", {})

    def put_in(node: Any) -> Any:
        if isinstance(node, list):
            return [put_in(value) for value in cast("list[Any]", node)]
        if not isinstance(node, dict):
            return node
        members = cast("dict[str, Any]", node)
        if "$ref" in members:
            return put_in(definitions[str(members["$ref"]).rpartition("/")[2]])
        return {name: put_in(value) for name, value in members.items() if name != "default" or value is not None}

    return _Inline(put_in(schema))
