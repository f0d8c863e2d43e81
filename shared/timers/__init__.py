"""What the timers do: repair what was lost, ask for scans, report on retention."""
