"""A deterministic scheduler: it runs coroutines on a virtual clock.

* Time advances only when everything that is due has been done.
* What is due at the same moment runs in the order in which it was scheduled, or in one that a seeded generator draws.
* Coroutines are driven directly, without asyncio, so a run is the same on every machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

type OnDone = Callable[[Any, BaseException | None], None]
"""What to call at the end of a coroutine: with its result, or with what it raised."""


class OutOfTime(BaseException):
    """Whoever runs the coroutines waits no longer. It ends the run, and not only the coroutine that it meets."""


class Sleep:
    """Awaiting it returns control to the scheduler for a duration."""

    __slots__ = ("duration",)

    def __init__(self, duration: timedelta) -> None:
        self.duration = duration

    def __await__(self) -> Generator[Sleep]:
        yield self


class WorkSource(Protocol):
    """Something that has work at times of its own: a queue, for one."""

    def next_due(self) -> datetime | None:
        """When there is work; None while there is none."""
        ...

    def run_due(self) -> None:
        """Do the work that is due."""
        ...


@dataclass(slots=True, eq=False)
class Task:
    """A coroutine under way. ``ended`` once it has returned, raised or been killed."""

    coroutine: Coroutine[Any, Any, Any]
    on_done: OnDone
    ended: bool = False


class Scheduler:
    """The virtual clock, and everything that is scheduled on it."""

    def __init__(self, start: datetime, rng: Random | None = None) -> None:
        """``rng`` draws the order of what is due at the same moment; without one it is first in, first out."""
        self.now = start
        self.steps = 0
        self._rng = rng
        self._count = 0
        self._agenda: list[tuple[datetime, float, int, Callable[[], None]]] = []
        self._sources: list[WorkSource] = []

    def clock(self) -> datetime:
        """The virtual time."""
        return self.now

    def add_source(self, source: WorkSource) -> None:
        """Run this source's work too, whenever it is due."""
        self._sources.append(source)

    def call_at(self, when: datetime, act: Callable[[], None]) -> None:
        """Call something at a time (now, if that is past)."""
        self._count += 1
        order = self._rng.random() if self._rng else 0.0
        heapq.heappush(self._agenda, (max(when, self.now), order, self._count, act))

    def call_later(self, delay: timedelta, act: Callable[[], None]) -> None:
        """Call something after a delay."""
        self.call_at(self.now + delay, act)

    def start(self, coroutine: Coroutine[Any, Any, Any], on_done: OnDone) -> Task:
        """Start a coroutine; it runs up to its first sleep at once."""
        task = Task(coroutine, on_done)
        self._resume(task)
        return task

    def kill(self, task: Task, error: BaseException) -> None:
        """End a coroutine where it stands by raising this in it, as the end of its process does."""
        if not task.ended:
            self._drive(task, lambda: task.coroutine.throw(error))

    def run_until(self, finished: Callable[[], bool], *, deadline: datetime) -> bool:
        """Run until ``finished`` holds or nothing is left to do before the deadline. Returns whether it holds."""
        while not finished():
            source, due = self._next()
            if due is None or due > deadline:
                self.now = max(self.now, deadline)
                return finished()
            self.now = max(self.now, due)
            self.steps += 1
            if source is not None:
                source.run_due()
            else:
                heapq.heappop(self._agenda)[3]()
        return True

    def _next(self) -> tuple[WorkSource | None, datetime | None]:
        best: WorkSource | None = None
        due = self._agenda[0][0] if self._agenda else None
        for source in self._sources:
            other = source.next_due()
            if other is not None and (due is None or max(other, self.now) < due):
                best, due = source, other
        return best, due

    def _resume(self, task: Task) -> None:
        if not task.ended:
            self._drive(task, lambda: task.coroutine.send(None))

    def _drive(self, task: Task, push: Callable[[], Sleep]) -> None:
        try:
            sleep = push()
        except StopIteration as end:
            task.ended = True
            task.on_done(end.value, None)
        except (KeyboardInterrupt, SystemExit, OutOfTime):
            raise
        except BaseException as raised:  # noqa: BLE001 - a crash is one, and whoever started the task judges it
            task.ended = True
            task.on_done(None, raised)
        else:
            self.call_later(sleep.duration, lambda: self._resume(task))
