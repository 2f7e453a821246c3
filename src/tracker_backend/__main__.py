"""`python -m tracker_backend` is the command `tracker-backend`."""

from tracker_backend.cli import main

main()
