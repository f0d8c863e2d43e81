"""What a measurement answers, and how it says that it could not be made."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

type Relation = Literal["<=", "<", ">="]

_HOLDS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
}


class MeasurementFailed(Exception):
    """The figure could not be measured. The text says why, and what to do where something can be done."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``parts`` is what the value was made of; ``notes`` is what its reader must know beside it."""

    value: float
    relation: Relation
    bound: float
    unit: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    within: bool = True
    """Whether whatever else the figure asks for holds, beside the bound."""

    @property
    def holds(self) -> bool:
        """Whether the value keeps the bound, and everything else that is asked for holds."""
        return self.within and _HOLDS[self.relation](self.value, self.bound)

    def document(self) -> dict[str, Any]:
        """The figure as JSON."""
        return {
            "value": round(self.value, 4),
            "unit": self.unit,
            "bound": f"{self.relation} {self.bound:g}",
            "holds": self.holds,
            "parts": rounded(self.parts),
            "notes": list(self.notes),
        }


def rounded(value: Any) -> Any:
    """The same document with its floats cut to four digits after the point, for people."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {str(key): rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list | tuple) else value


def load() -> list[float]:
    """How busy the machine is: runnable processes on average over 1, 5 and 15 minutes."""
    return [round(each, 2) for each in os.getloadavg()]
