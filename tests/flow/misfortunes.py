"""Misfortunes that a rehearsal can order: around a chosen call of a port, or for a while."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from local.simulation.calls import NO_INJECTION, Call, Injection, ProcessCrash
from shared.ports import Throttled, Unavailable

type Fault = Callable[[], BaseException]


def crash() -> BaseException:
    """The process ends."""
    return ProcessCrash("a rehearsed crash")


def unavailable() -> BaseException:
    """No answer, a time-out or a 5xx."""
    return Unavailable("the service did not answer")


def throttled() -> BaseException:
    """429 without a Retry-After."""
    return Throttled("too many requests")


@dataclass
class Misfortune:
    """What befalls the ``nth`` call (and ``times - 1`` calls after it) of a method, named as in ``ledger.replace``.

    Raised before the call takes effect, or after it has. ``only`` narrows the calls that count.
    """

    method: str
    what: Fault
    nth: int = 1
    after: bool = False
    times: int = 1
    function: str | None = None
    only: Callable[[Call], bool] = lambda _: True
    seen: int = 0

    def injection(self, call: Call, _: datetime) -> Injection:
        """What is injected into a call; counts those that are meant."""
        if call.name != self.method or self.function not in {None, call.function} or not self.only(call):
            return NO_INJECTION
        self.seen += 1
        if not self.nth <= self.seen < self.nth + self.times:
            return NO_INJECTION
        return Injection(error_after=self.what()) if self.after else Injection(error_before=self.what())

    @property
    def struck(self) -> bool:
        """Whether it has happened at all."""
        return self.seen >= self.nth


@dataclass
class AtCall:
    """A misfortune at the nth call of any port, counted over the whole rehearsal."""

    index: int
    what: Fault
    after: bool = False
    seen: int = 0

    def injection(self, _: Call, __: datetime) -> Injection:
        self.seen += 1
        if self.seen != self.index:
            return NO_INJECTION
        return Injection(error_after=self.what()) if self.after else Injection(error_before=self.what())

    @property
    def struck(self) -> bool:
        return self.seen >= self.index


@dataclass
class Outage:
    """A port, or one method of it, that does not answer for a while."""

    what_of: str
    begins: datetime
    lasts: timedelta
    what: Fault = unavailable
    only: Callable[[Call], bool] = lambda _: True
    hits: int = 0

    def injection(self, call: Call, now: datetime) -> Injection:
        if self.what_of not in {call.port, call.name} or not self.begins <= now < self.begins + self.lasts:
            return NO_INJECTION
        if not self.only(call):
            return NO_INJECTION
        self.hits += 1
        return Injection(error_before=self.what())

    @property
    def struck(self) -> bool:
        return self.hits > 0


@dataclass
class Meanwhile:
    """What somebody does right before a function's call of a method, the first ``times`` times.

    The call takes effect when as much time has passed as it ``lasts``. ``only`` narrows the calls that count.
    """

    method: str
    function: str
    act: Callable[[Call], None] = lambda _: None
    times: int = 1
    lasts: timedelta = timedelta(0)
    only: Callable[[Call], bool] = lambda _: True
    hits: int = 0

    def injection(self, call: Call, _: datetime) -> Injection:
        meant = (call.name, call.function) == (self.method, self.function) and self.only(call)
        if not meant or self.hits >= self.times:
            return NO_INJECTION
        self.hits += 1
        self.act(call)
        return Injection(delay_before=self.lasts) if self.lasts else NO_INJECTION

    @property
    def struck(self) -> bool:
        return self.hits > 0


type AnyMisfortune = Misfortune | AtCall | Outage | Meanwhile


@dataclass
class Misfortunes:
    """All that is to happen in a rehearsal, and every call that was made."""

    clock: Callable[[], datetime]
    listed: Iterable[AnyMisfortune] = ()
    calls: list[Call] = field(default_factory=list)

    def __call__(self, call: Call) -> Injection:
        self.calls.append(call)
        now = self.clock()
        injections = [each.injection(call, now) for each in self.listed]
        return next((each for each in injections if each is not NO_INJECTION), NO_INJECTION)
