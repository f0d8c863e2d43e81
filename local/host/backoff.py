"""The delay before the next poll of an empty queue.

RandomizedExponentialBackoffStrategy of the WebJobs SDK: the minimum after a poll with messages; after each empty poll,
the minimum plus a randomized (±20 %) exponential part, up to the maximum.
"""

import random

MIN_INTERVAL = 0.1  # seconds


class PollingBackoff:
    """Delays in seconds, from 0.1 to `maximum`."""

    def __init__(self, maximum: float, chance: random.Random | None = None) -> None:
        self._maximum = max(maximum, MIN_INTERVAL)
        self._chance = chance or random.Random()
        self._exponent = 0

    def reset(self) -> None:
        """Call it after a poll that returned messages."""
        self._exponent = 0

    def next(self) -> float:
        """The delay after another empty poll."""
        spread = self._chance.uniform(0.8, 1.2)
        grown = MIN_INTERVAL + spread * MIN_INTERVAL * (2**self._exponent - 1)
        if grown >= self._maximum:
            return self._maximum
        self._exponent += 1
        return grown
