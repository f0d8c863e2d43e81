"""Rules that every adapter of a port keeps, over Azure and in memory alike."""
