"""The weather of a run: what befalls each call of a port, drawn from the seed.

A call may crash its process before or after it takes effect, be throttled, find the service unavailable, or take effect
and lose its answer. Whole ports fail for a while. Time passes inside calls, so that functions overtake each other. From
a moment on the weather is fine, so that whatever can end must end.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from local.simulation.calls import NO_WAIT, WELL, Call, Crash, Fate
from local.simulation.functions_host import AS_IT_SHOULD, Mail
from local.simulation.interception import PORTS
from local.simulation.scheduler import Engine
from shared.adapters.memory.queues import QueuedMessage
from shared.domain.messages import Kind
from shared.ports import Conflict, PassingFault, Throttled, Unavailable

LOCAL: Final = frozenset({"queues.open"})
"""Calls that ask no service, for all messages that are not huge."""
VANISHING: Final = frozenset(
    {"galleries.write_targets", "galleries.copy_version", "machines.create", "machines.delete"}
)
"""Requests that start a long-running operation, which may fail after it was accepted."""
SLUGGISH: Final = {"machines.create": 0.5, "galleries.write_targets": 0.3}
"""Requests that are, where calls take time, this often so slow that everything else has moved on meanwhile."""
WRITERS: Final = frozenset({Kind.REPLICATE, Kind.PROMOTE})
"""Whose messages come twice more often than others: those that write to galleries."""
BUSY: Final = frozenset({"galleries", "machines"})
SLOWEST: Final = 90.0
"""Seconds that a call may take at most; functions have five minutes."""


class Unforeseen(Exception):
    """A fault that no port names: a bug of a library, a full disk."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A port that fails for a while."""

    port: str
    begins: datetime
    ends: datetime


@dataclass(slots=True)
class Weather:
    """How likely each misfortune is for one call, until the weather turns fine."""

    engine: Engine
    rng: Random
    fine_from: datetime
    crash: float = 0.0
    fault: float = 0.0
    unforeseen: float = 0.0
    slow: float = 0.0
    vanish: float = 0.0
    mail: float = 0.0
    outages: tuple[Outage, ...] = ()
    counts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def drawn(cls, engine: Engine, rng: Random, fine_from: datetime) -> Weather:
        """The weather of a seed: calm in some runs, so that the other misfortunes stand alone, and wild in others."""
        wildness = rng.choice((0.0, 0.3, 1.0, 1.0, 3.0))
        start, span = engine.now, fine_from - engine.now
        outages: list[Outage] = []
        for _ in range(rng.choice((0, 0, 1, 2)) if wildness else 0):
            begins = start + span * rng.random()
            outages.append(Outage(rng.choice(PORTS), begins, begins + timedelta(minutes=rng.uniform(1, 90))))
        return cls(
            engine,
            rng,
            fine_from,
            crash=0.003 * wildness,
            fault=0.01 * wildness,
            unforeseen=0.0005 * wildness if rng.random() < 0.3 else 0.0,
            slow=rng.choice((0.0, 0.1, 0.4)),
            vanish=0.04 * wildness,
            mail=0.02 * wildness,
            outages=tuple(outages),
        )

    def __call__(self, call: Call) -> Fate:
        """The fate of one call."""
        now = self.engine.now
        if now >= self.fine_from:
            return WELL
        for outage in self.outages:
            if outage.port == call.port and outage.begins <= now < outage.ends and call.name not in LOCAL:
                self.counts["outage"] += 1
                return Fate(before=Unavailable(f"{call.port} is out"))
        draw = self.rng.random()
        reach, answer = self._waits(call)
        if draw < self.crash:
            return self._crash(reach, answer)
        if draw < self.crash + self.fault and call.name not in LOCAL:
            return self._fault(call, reach, answer)
        if call.name in VANISHING and self.rng.random() < self.vanish:
            self.counts["failed after accepted"] += 1
            return Fate(reach, answer, vanishes=True)
        if draw < self.crash + self.fault + self.unforeseen:
            self.counts["unforeseen"] += 1
            return Fate(reach, before=Unforeseen("nobody thought of this"))
        return WELL if reach is NO_WAIT else Fate(reach, answer)

    def _waits(self, call: Call) -> tuple[timedelta, timedelta]:
        if self.slow == 0.0:
            return NO_WAIT, NO_WAIT
        if self.rng.random() < SLUGGISH.get(call.name, 0.0):
            return timedelta(seconds=self.rng.uniform(30, 280)), NO_WAIT
        if self.rng.random() >= self.slow:
            return NO_WAIT, NO_WAIT
        longest = SLOWEST if self.rng.random() < 0.1 else 2.0
        return timedelta(seconds=self.rng.random() * longest), timedelta(seconds=self.rng.random() * longest)

    def _crash(self, reach: timedelta, answer: timedelta) -> Fate:
        after = self.rng.random() < 0.5
        self.counts["crash after" if after else "crash before"] += 1
        crash = Crash("the process was killed")
        return Fate(reach, answer, after=crash) if after else Fate(reach, before=crash)

    def _fault(self, call: Call, reach: timedelta, answer: timedelta) -> Fate:
        kind = self.rng.choice(("throttled", "unavailable", "unavailable", "answer lost", "answer lost", "conflict"))
        if kind == "conflict" and call.port not in BUSY:
            kind = "unavailable"
        self.counts[kind] += 1
        if kind == "answer lost":
            return Fate(reach, answer, after=Unavailable("no answer came in time"))
        return Fate(reach, before=self._passing(kind))

    def answers(self) -> bool:
        """Whether somebody answers who is no port of the app's."""
        if self.engine.now >= self.fine_from or self.rng.random() >= 10 * self.fault:
            return True
        self.counts["report not to be had"] += 1
        return False

    def delivery(self, message: QueuedMessage) -> Mail:
        """How a due message is delivered."""
        if self.engine.now >= self.fine_from:
            return AS_IT_SHOULD
        draw = self.rng.random()
        if draw < self.mail:
            kind = self.rng.choice(("twice", "twice", "late", "lost"))
        elif message.kind in WRITERS and draw < 4 * self.mail:
            kind = "twice"
        else:
            return AS_IT_SHOULD
        self.counts[f"message {kind}"] += 1
        wait = timedelta(seconds=self.rng.choice((0, 1, 20, 600)) * self.rng.random())
        if kind == "twice":
            return Mail(again=wait)
        return Mail(later=wait * 3) if kind == "late" else Mail(lost=True)

    def _passing(self, kind: str) -> PassingFault:
        if kind == "throttled":
            wait = timedelta(seconds=self.rng.randint(1, 900)) if self.rng.random() < 0.5 else None
            return Throttled("too many requests", retry_after=wait)
        return Conflict("another operation is under way") if kind == "conflict" else Unavailable("503")
