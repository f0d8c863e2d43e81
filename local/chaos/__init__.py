"""Chaos on the real stack: many releases under faults, with the host killed again and again, and a count at the end."""
