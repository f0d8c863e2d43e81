"""Mutation testing of the app's decisions: ``make mutate``."""
