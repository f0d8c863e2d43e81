"""What a seed plays beside what every seed plays.

Each mode is drawn from a random generator of its own, so that a seed without it means what it meant before the mode was
there. That is why kept seeds name their modes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Modes:
    """The modes that are on."""

    people: bool = False
    """People act on releases."""
    boots: bool = False
    """Boot tests restart machines and compare them."""
    ahead: bool = False
    """Policies may fill rings ahead of their turn."""

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
        return cls(people=number % 2 == 0, boots=number % 3 == 0, ahead=True)
