"""Misfortunes of delivery that Event Grid allows itself: duplicates, delay and disorder, from seeded dice."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeliveryFaults:
    """Shares between 0 and 1, and seconds of Azure's time.

    `duplicate` of the deliveries come twice, `late` of them wait for up to `max_delay` and so overtake each other.
    """

    duplicate: float = 0.0
    late: float = 0.0
    max_delay: float = 30.0

    def __post_init__(self) -> None:
        for name in ("duplicate", "late"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}")
        if self.max_delay < 0:
            raise ValueError(f"max_delay must not be negative, not {self.max_delay}")

    def delays(self, seed: int, subscription: str, event_id: str) -> list[float]:
        """How long each delivery of this event waits: one entry, or two when it is doubled.

        The dice are cast by names, not by the order of events, so a run with the same seed meets the same misfortunes.
        """
        dice = random.Random(f"{seed}/{subscription}/{event_id}")
        delays = [dice.uniform(0, self.max_delay) if dice.random() < self.late else 0.0]
        if dice.random() < self.duplicate:
            delays.append(dice.uniform(0, self.max_delay))
        return delays
