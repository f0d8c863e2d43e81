"""The laws by number and title, and how a broken one is reported. ``docs/laws.md`` explains each of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Self

from local.simulation.calls import Invocation


class Law(IntEnum):
    """What the product promises under every schedule of duplicates, delays, crashes and outages."""

    title: str
    """Three to five words. Whoever cites a law by number cites its title too."""

    def __new__(cls, number: int, title: str) -> Self:
        """A law of this number and title."""
        law = int.__new__(cls, number)
        law._value_ = number
        law.title = title
        return law

    NOTHING_LOST = 1, "nothing is lost"
    PROOF = 2, "nothing promoted without proof"
    LATEST = 3, "latest never goes backwards"
    REGIONS = 4, "no region is dropped"
    REPETITION = 5, "repeated messages change nothing"
    OUTBOX = 6, "commands recorded before sending"
    NOTHING_LEFT = 7, "nothing is left behind"
    IN_USE = 8, "nothing in use deleted"
    ACCESS = 9, "no unauthorised access"
    OWN_WRITES = 10, "own writes start nothing"
    NOTHING_BAD_VISIBLE = 11, "nothing bad stays visible"
    ATTRIBUTION = 12, "manual changes are attributed"
    COST = 13, "cost is bounded"

    def __str__(self) -> str:
        """The law as it is cited."""
        return f"law {self.value} ({self.title})"


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken law: what was seen, when, and in which invocation, if in one."""

    law: Law
    text: str
    at: datetime
    invocation: Invocation | None

    def __str__(self) -> str:
        where = f" in invocation {self.invocation.number} ({self.invocation.function})" if self.invocation else ""
        return f"{self.law} at {self.at:%d %H:%M:%S}{where}: {self.text}"
