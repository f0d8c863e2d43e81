"""The timers: reconciliation, requests for scans, and the retention report."""
