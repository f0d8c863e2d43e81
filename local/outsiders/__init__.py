"""Walks of clients that nobody here wrote, against the ARM simulator: `make outsiders`."""
