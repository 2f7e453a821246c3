"""The metrics that `/metrics` exports. Names follow the Prometheus conventions: unit last, `_total` for counters.

The help texts are the table of docs/reference/metrics.md (`make reference` writes it).
"""

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

BATCHES = Counter(
    "tracker_batches",
    "Batches by outcome: `stored`, `repeated`, `conflict` (409), `refused` (422) or `queue_full` (503).",
    ["outcome"],
)
EVENTS = Counter("tracker_events", "Events stored, by source. Events of the API and the tag are `native`.", ["source"])
GROUPS = Histogram(
    "tracker_group_batches",
    "Batches that were committed in one transaction.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)
QUEUE_BYTES = Gauge(
    "tracker_queue_bytes",
    "Bytes of batches that wait for the database. The limit of each process is `TRACKER_QUEUE_BYTES`.",
    multiprocess_mode="livesum",
)
STEP_SECONDS = Counter(
    "tracker_ingest_step_seconds", "Processor and waiting time of each step of ingest, in seconds.", ["step"]
)
ODD_VALUES = Counter(
    "tracker_odd_values",
    "Values of known fields that could not be read or converted, by field. They are kept in the event's `event_data` or"
    " the session's `metadata`, if there is one.",
    ["field"],
)
DROPPED = Counter(
    "tracker_batches_dropped",
    "Batches that were not stored, by the reason in `X-Tracker-Dropped`: `gpc`, `dnt`, `sampled` or `erased`.",
    ["reason"],
)
REFUSED = Counter(
    "tracker_requests_refused",
    "Requests that were refused, by kind of error; by status for errors without a kind.",
    ["reason"],
)
LIVE_SUBSCRIBERS = Gauge(
    "tracker_live_subscribers",
    "Subscribers of live sessions. The limit of each process is `TRACKER_LIVE_SUBSCRIBERS`.",
    multiprocess_mode="livesum",
)
LIVE_DROPPED = Counter(
    "tracker_live_subscribers_dropped",
    "Subscribers that were disconnected because they are too slow. `backlog`: too many batches waited for the"
    " subscriber. `send`: the subscriber did not accept a message in time.",
    ["reason"],
)
MAINTENANCE = Counter(
    "tracker_maintenance_runs", "Runs of maintenance tasks, by result: `done` or `failed`.", ["task", "result"]
)


def render() -> bytes:
    """Return the text that Prometheus reads. It covers all workers if `serve` created a folder that they share."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)
