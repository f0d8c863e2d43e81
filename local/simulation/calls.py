"""A call of a port by a running function, and what is injected into it: delays, errors, the crash of the process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.messages import Command

NO_DELAY: Final = timedelta(0)


class ProcessCrash(BaseException):
    """The function's process ends here. No product code may catch it."""


@dataclass(slots=True, eq=False)
class Invocation:
    """One invocation of a function. ``subject`` says in words what it is about."""

    number: int
    function: str
    subject: str
    started_at: datetime
    command: Command | None = None
    """What it was asked to do, once it has read that from its message."""


@dataclass(slots=True)
class Call:
    """A function's call of one method of a port. ``name`` is port and method, as in ``ledger.replace``."""

    invocation: Invocation
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
        return self.invocation.function


@dataclass(frozen=True, slots=True)
class Injection:
    """What is injected into one call.

    ``error_before`` is raised instead of any effect. ``error_after`` is raised when the effect has happened: its
    response is lost. ``operation_fails``: the request is accepted and has no effect, as when a long-running operation
    fails later.
    """

    delay_before: timedelta = NO_DELAY
    """Until the call takes effect."""
    delay_after: timedelta = NO_DELAY
    """From the effect until the response."""
    error_before: BaseException | None = None
    error_after: BaseException | None = None
    operation_fails: bool = False


NO_INJECTION: Final = Injection()

type Injector = Callable[[Call], Injection]
"""Decides what is injected into each call."""


def inject_nothing(_: Call) -> Injection:
    """Every call succeeds at once."""
    return NO_INJECTION
