"""Compute galleries: galleries, image definitions and image versions."""
