"""What `/metrics` tells. Names follow the Prometheus conventions: a unit at the end, `_total` for counters."""

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST

BATCHES = Counter("tracker_batches", "Batches by what became of them", ["outcome"])
EVENTS = Counter("tracker_events", "Events stored, by source", ["source"])
GROUPS = Histogram("tracker_group_batches", "Batches in one transaction", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500))
QUEUE_BYTES = Gauge("tracker_queue_bytes", "Bytes of batches waiting for the database", multiprocess_mode="livesum")
STEP_SECONDS = Counter("tracker_ingest_step_seconds", "Seconds spent in each step of ingest", ["step"])
DROPPED = Counter("tracker_dropped", "Batches not stored, by the reason that their senders were told", ["reason"])
REFUSED = Counter("tracker_refused", "Requests refused, by reason", ["reason"])
LIVE_SUBSCRIBERS = Gauge("tracker_live_subscribers", "Subscribers of live sessions", multiprocess_mode="livesum")
LIVE_DROPPED = Counter("tracker_live_dropped", "Subscribers dropped as too slow, by what told it", ["reason"])
MAINTENANCE = Counter("tracker_maintenance", "Maintenance tasks run, by task and result", ["task", "result"])


def render() -> bytes:
    """The text that Prometheus reads; of all workers where `serve` set up a folder that they share."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)
