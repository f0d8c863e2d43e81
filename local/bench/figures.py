"""The result of a measurement, and the error for a measurement that failed."""

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
    """The figure could not be measured. The message says why, and what to do if there is a remedy."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. ``parts`` has the values that it was computed from; ``notes`` has information for its reader."""

    value: float
    relation: Relation
    bound: float
    unit: str
    parts: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    within: bool = True
    """Whether the figure's additional conditions hold."""

    @property
    def holds(self) -> bool:
        """Whether the value is within the bound and all additional conditions hold."""
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
    """The same document with floats rounded to four decimal places."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {str(key): rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list | tuple) else value


def load() -> list[float]:
    """The load averages of the machine over 1, 5 and 15 minutes."""
    return [round(each, 2) for each in os.getloadavg()]
