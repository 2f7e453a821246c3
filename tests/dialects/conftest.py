"""The same servers and callers as the tests of `v1` have."""

from tests.http.conftest import (
    Standing,
    own_client,
    project,
    standing,
    standing_app,
    standing_client,
    standing_services,
)

__all__ = ["Standing", "own_client", "project", "standing", "standing_app", "standing_client", "standing_services"]
