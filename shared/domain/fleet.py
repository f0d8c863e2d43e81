"""What a ring's machines need of its replicas, and what replicas cost, as the policy declares it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Fleet:
    """What is created from an image in one region at the same time."""

    machines: int = 0
    """Outside of scale sets."""
    scale_sets: tuple[int, ...] = ()
    """The instances of each scale set."""
    headroom_percent: int = 20
    image_gb: float | None = None
    """The size that the image occupies, for the cost."""


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices of stored replicas, as of a day: for a GB and a month, by storage account type."""

    as_of: date
    currency: str
    per_gb_month: Mapping[str, float]
