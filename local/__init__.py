"""Ringmaster's local stack: a Functions host, an ARM simulator, Event Grid and the demo. Never deployed."""
