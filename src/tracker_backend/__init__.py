"""Records what visitors do on websites, and lets you read it: one process, one PostgreSQL."""

__version__ = "0.1.0"
