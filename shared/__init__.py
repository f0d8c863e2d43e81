"""Ringmaster: image versions from built to in production, through rings, on evidence."""
