"""The seam between the storage tiers: one class a tier, the same calls, the same conformance suite.

Only what differs stands here: policies, partitions, and how past hours are computed again. The migration,
`maintenance/` and the deletion of a project call it.
"""

from abc import ABC, abstractmethod
from datetime import datetime
from typing import ClassVar

from tracker_backend.settings import Settings
from tracker_backend.storage.nodes import Node
from tracker_backend.storage.pool import Connection, Pool

SERIES = ("events", "screenshots", "recordings")


class Store(ABC):
    """One database of one tier."""

    tier: ClassVar[str]

    def __init__(self, settings: Settings, pool: Pool, node: Node, secret: bytes) -> None:
        self.settings = settings
        self.pool = pool
        self.node = node
        self.secret = secret
        """The installation's: keys the marks of erased sessions and users."""

    @abstractmethod
    async def versions(self) -> dict[str, str]:
        """Names and versions of what stores: `{"postgresql": "18.6", "timescaledb": "2.29.2"}`."""

    @abstractmethod
    async def apply_settings(self, connection: Connection) -> None:
        """Makes the database keep the intervals of the settings; called by every migration."""

    @abstractmethod
    async def make_ahead(self) -> int:
        """Makes the chunks or partitions of the late window and of the days ahead; returns how many were new."""

    @abstractmethod
    async def drop_expired(self) -> int:
        """Drops chunks or partitions past their retention; returns how many."""

    @abstractmethod
    async def drop_expired_hours(self, limit: datetime) -> int:
        """Drops rows of `events_hourly` before `limit`, the end of the hourly retention; returns how many, if known."""

    @abstractmethod
    async def forget_hours(self, connection: Connection, project_id: int) -> None:
        """Removes all hours of a project from `events_hourly`, also those whose numbers are final."""

    @abstractmethod
    async def refresh_events_hourly(self) -> int:
        """Computes finished and changed hours of `events_hourly`; returns how many."""
