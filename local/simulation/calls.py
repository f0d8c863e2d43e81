"""What can befall a call of a port, and the crash that no product code may catch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.messages import Command

NO_WAIT: Final = timedelta(0)


class Crash(BaseException):
    """The function's process ends here."""


@dataclass(slots=True, eq=False)
class Run:
    """One run of a function. ``command`` is what it was asked to do, once it has read that."""

    number: int
    function: str
    what: str
    began: datetime
    command: Command | None = None


@dataclass(slots=True)
class Call:
    """A function's call of one method of a port. ``name`` is port and method, as in ``ledger.replace``."""

    run: Run
    port: str
    method: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = f"{self.port}.{self.method}"

    @property
    def function(self) -> str:
        """The function that calls."""
        return self.run.function


@dataclass(frozen=True, slots=True)
class Fate:
    """How a call goes: how long until it takes effect and until its answer, and what is raised instead.

    ``before`` is raised instead of any effect; ``after`` when the effect has happened and its answer is lost.
    ``vanishes``: the request is accepted, and fails later without a word, as long-running operations do.
    """

    reach: timedelta = NO_WAIT
    answer: timedelta = NO_WAIT
    before: BaseException | None = None
    after: BaseException | None = None
    vanishes: bool = False


WELL: Final = Fate()

type Fates = Callable[[Call], Fate]
"""Decides how each call goes."""


def all_well(_: Call) -> Fate:
    """Nothing befalls anybody."""
    return WELL
