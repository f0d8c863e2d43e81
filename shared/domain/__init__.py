"""What Ringmaster decides, and nothing else: standard library only; no clock, environment, I/O or logging."""
