"""Measures the server against raw COPY of the same rows, side by side: `make bench`."""
