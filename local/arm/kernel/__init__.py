"""What every part of the simulator stands on: requests, state, time, operations, events, throttling, faults."""
