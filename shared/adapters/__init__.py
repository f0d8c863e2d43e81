"""Implementations of the ports: ``azure`` for production, ``memory`` for tests and simulation."""
