"""Worked consumers of Ringmaster's events. They are not part of the app; copy what you need."""
