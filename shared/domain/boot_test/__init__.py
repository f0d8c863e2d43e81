"""The boot test: what failed and whose fault it is, the probe and its checks, the console, and twins."""
