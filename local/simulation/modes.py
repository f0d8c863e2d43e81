"""What a seed plays beside what every seed plays.

Each mode is drawn from a random generator of its own, so that a seed without it means what it meant before the mode was
there. That is why kept seeds name their modes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """The modes that are on."""

    people: bool = False
    """People act on releases."""
    boots: bool = False
    """Boot tests restart machines and compare them."""
    ahead: bool = False
    """Policies may fill rings ahead of their turn."""
    calendar: bool = False
    """Bake times count in some hours, days have a maximum of rings, and versions queue or supersede each other."""
    health: bool = False
    """What follows a published ring is watched."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of those that are on."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name))

    @classmethod
    def named(cls, names: Iterable[str]) -> Modes:
        """The modes with these names. Raises TypeError for a name that there is not."""
        return cls(**dict.fromkeys(names, True))

    @classmethod
    def of(cls, seed: str) -> Modes:
        """The modes of a seed where nobody says so: every second one plays people, every third one boots."""
        number = int(seed) if seed.isdecimal() else 1
        return cls(people=number % 2 == 0, boots=number % 3 == 0, ahead=True, calendar=True, health=True)


USUAL: Final = Modes(ahead=True, calendar=True, health=True)
"""What most seeds play."""
