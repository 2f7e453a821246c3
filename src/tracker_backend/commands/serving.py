"""The command `serve`."""

import argparse

from tracker_backend.serve import serve


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve`; `start` of what was parsed runs the server."""
    parser.add_argument("--host", help="address to listen on; default: the setting TRACKER_HOST")
    parser.add_argument("--port", type=int, help="port to listen on, 0 takes a free one; default: the setting PORT")
    parser.add_argument(
        "--workers", type=int, help="processes that share the database; default: the setting TRACKER_WORKERS"
    )
    parser.set_defaults(start=serve)
