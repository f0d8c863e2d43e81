"""Fault injection: what goes wrong with each call of a port and each message, drawn from the seed.

A call may crash its process before or after it takes effect, be throttled, find the service unavailable, or take effect
and lose its response. Whole ports are unavailable for a while. Calls take time, so that functions overtake each other.
From a given moment on nothing more is injected, so that whatever can end must end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from local.simulation.calls import NO_DELAY, NO_INJECTION, Call, Injection, ProcessCrash
from local.simulation.functions_host import DELIVERED_ONCE, Delivery
from local.simulation.interception import PORTS
from local.simulation.scheduler import Scheduler
from shared.adapters.memory.queues import QueuedMessage
from shared.domain.messages import Kind
from shared.ports import Conflict, PassingFault, Throttled, Unavailable

LOCAL_CALLS: Final = frozenset({"queues.open"})
"""Calls that ask no service, for all messages that are not too large for a queue."""
LONG_RUNNING: Final = frozenset(
    {"galleries.write_targets", "galleries.copy_version", "machines.create", "machines.delete"}
)
"""Requests that start a long-running operation, which may fail after it was accepted."""
SLOW_CALLS: Final = {"machines.create": 0.5, "galleries.write_targets": 0.3}
"""Requests that are this often slow enough for everything else to overtake them, in seeds where calls take time."""
GALLERY_WRITERS: Final = frozenset({Kind.REPLICATE, Kind.PROMOTE})
"""Commands that write to galleries. Their messages are duplicated more often than others."""
CONFLICTING: Final = frozenset({"galleries", "machines"})
"""Ports of services that answer 409 while another operation is under way."""
LONGEST_DELAY: Final = 90.0
"""Seconds that a call usually takes at most; functions have five minutes."""


class UnexpectedError(Exception):
    """A fault that no port names: a bug of a library, a full disk."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A period in which a port is unavailable."""

    port: str
    begins: datetime
    ends: datetime


@dataclass(slots=True)
class FaultInjection:
    """The probability of each fault for one call, until ``ends_at``. ``counts`` says what was injected, by kind."""

    scheduler: Scheduler
    rng: Random
    ends_at: datetime
    crash: float = 0.0
    fault: float = 0.0
    unexpected: float = 0.0
    slow: float = 0.0
    failed_operation: float = 0.0
    delivery: float = 0.0
    outages: tuple[Outage, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def drawn(cls, scheduler: Scheduler, rng: Random, ends_at: datetime) -> FaultInjection:
        """The fault injection of a seed. Its intensity is zero in some, so that other causes show by themselves."""
        intensity = rng.choice((0.0, 0.3, 1.0, 1.0, 3.0))
        start, span = scheduler.now, ends_at - scheduler.now
        outages: list[Outage] = []
        for _ in range(rng.choice((0, 0, 1, 2)) if intensity else 0):
            begins = start + span * rng.random()
            outages.append(Outage(rng.choice(PORTS), begins, begins + timedelta(minutes=rng.uniform(1, 90))))
        return cls(
            scheduler,
            rng,
            ends_at,
            crash=0.003 * intensity,
            fault=0.01 * intensity,
            unexpected=0.0005 * intensity if rng.random() < 0.3 else 0.0,
            slow=rng.choice((0.0, 0.1, 0.4)),
            failed_operation=0.04 * intensity,
            delivery=0.02 * intensity,
            outages=tuple(outages),
        )

    def __call__(self, call: Call) -> Injection:
        """What is injected into one call."""
        now = self.scheduler.now
        if now >= self.ends_at:
            return NO_INJECTION
        for outage in self.outages:
            if outage.port == call.port and outage.begins <= now < outage.ends and call.name not in LOCAL_CALLS:
                self.counts["outage"] += 1
                return Injection(error_before=Unavailable(f"{call.port} is out"))
        draw = self.rng.random()
        before, after = self._delays(call)
        if draw < self.crash:
            return self._crash(before, after)
        if draw < self.crash + self.fault and call.name not in LOCAL_CALLS:
            return self._fault(call, before, after)
        if call.name in LONG_RUNNING and self.rng.random() < self.failed_operation:
            self.counts["failed after accepted"] += 1
            return Injection(before, after, operation_fails=True)
        if draw < self.crash + self.fault + self.unexpected:
            self.counts["unexpected error"] += 1
            return Injection(before, error_before=UnexpectedError("an error that no port names"))
        return NO_INJECTION if before is NO_DELAY else Injection(before, after)

    def _delays(self, call: Call) -> tuple[timedelta, timedelta]:
        if self.slow == 0.0:
            return NO_DELAY, NO_DELAY
        if self.rng.random() < SLOW_CALLS.get(call.name, 0.0):
            return timedelta(seconds=self.rng.uniform(30, 280)), NO_DELAY
        if self.rng.random() >= self.slow:
            return NO_DELAY, NO_DELAY
        longest = LONGEST_DELAY if self.rng.random() < 0.1 else 2.0
        return timedelta(seconds=self.rng.random() * longest), timedelta(seconds=self.rng.random() * longest)

    def _crash(self, before: timedelta, after: timedelta) -> Injection:
        is_after = self.rng.random() < 0.5
        self.counts["crash after" if is_after else "crash before"] += 1
        crash = ProcessCrash("the process was killed")
        return Injection(before, after, error_after=crash) if is_after else Injection(before, error_before=crash)

    def _fault(self, call: Call, before: timedelta, after: timedelta) -> Injection:
        kind = self.rng.choice(
            ("throttled", "unavailable", "unavailable", "response lost", "response lost", "conflict")
        )
        if kind == "conflict" and call.port not in CONFLICTING:
            kind = "unavailable"
        self.counts[kind] += 1
        if kind == "response lost":
            return Injection(before, after, error_after=Unavailable("no response came in time"))
        return Injection(before, error_before=self._passing(kind))

    def _passing(self, kind: str) -> PassingFault:
        if kind == "throttled":
            wait = timedelta(seconds=self.rng.randint(1, 900)) if self.rng.random() < 0.5 else None
            return Throttled("too many requests", retry_after=wait)
        return Conflict("another operation is under way") if kind == "conflict" else Unavailable("503")

    def report_store_answers(self) -> bool:
        """Whether the store of reports, which is no port of the app's, answers this request."""
        if self.scheduler.now >= self.ends_at or self.rng.random() >= 10 * self.fault:
            return True
        self.counts["report store unavailable"] += 1
        return False

    def deliver_message(self, message: QueuedMessage) -> Delivery:
        """How a due message is delivered."""
        if self.scheduler.now >= self.ends_at:
            return DELIVERED_ONCE
        draw = self.rng.random()
        if draw < self.delivery:
            kind = self.rng.choice(("duplicated", "duplicated", "delayed", "lost"))
        elif message.kind in GALLERY_WRITERS and draw < 4 * self.delivery:
            kind = "duplicated"
        else:
            return DELIVERED_ONCE
        self.counts[f"message {kind}"] += 1
        wait = timedelta(seconds=self.rng.choice((0, 1, 20, 600)) * self.rng.random())
        if kind == "duplicated":
            return Delivery(duplicate_after=wait)
        return Delivery(delayed_by=wait * 3) if kind == "delayed" else Delivery(lost=True)
