"""The bodies of errors that dialects' clients expect in place of a problem; for `error_shape` of a route."""


def success_and_error(text: str) -> dict[str, object]:
    """An error for clients that look at `success`."""
    return {"success": False, "error": text}


def error_only(text: str) -> dict[str, object]:
    """An error for clients that look at `error` only."""
    return {"error": text}
