"""A row of `tracker.recordings`, as it is written."""

RECORDING_COLUMNS = (
    "recording_id",
    "project_id",
    "session_id",
    "timestamp",
    "last_at",
    "arrival",
    "event_count",
    "inflated_size",
    "has_full_snapshot",
    "client_first",
    "client_last",
    "batches",
    "data",
)
"""The order of a recording's row."""
