"""Records what visitors do on websites and gives it back: one process, one PostgreSQL."""

__version__ = "0.1.0"
