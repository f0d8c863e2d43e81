"""Validation of a version's metadata: the facts, the rules, and the verdict."""
