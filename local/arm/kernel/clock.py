"""Time in the simulator: timestamps are the real wall clock; only how long Azure's own work takes is divided by the
speed.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """Answers what time it is and how long Azure's work lasts here.

    `speed` is how many seconds of Azure's time pass in one real second; `read` answers seconds since the epoch.
    """

    speed: float = 1.0
    read: Callable[[], float] = time.time

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.read()

    def scaled(self, azure_seconds: float) -> float:
        """Real seconds that work of `azure_seconds` takes here."""
        return azure_seconds / self.speed

    def retry_after(self, azure_seconds: float) -> int:
        """A `Retry-After` value: whole seconds, rounded up, 0 for nothing to wait."""
        return math.ceil(azure_seconds / self.speed)


def iso(at: float) -> str:
    """`at` as ARM writes it: seven decimals and a numeric offset, e.g. `2023-06-25T12:45:41.1197230+00:00`."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}0+00:00"


def iso_z(at: float) -> str:
    """`at` as Event Grid writes it: seven decimals and `Z`."""
    return iso(at).removesuffix("+00:00") + "Z"
