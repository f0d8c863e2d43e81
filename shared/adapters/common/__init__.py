"""Rules that all implementations of a port share, on Azure and in memory."""
