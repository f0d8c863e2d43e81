"""The simulator on a socket, its control endpoints, and the delivery of its events."""
