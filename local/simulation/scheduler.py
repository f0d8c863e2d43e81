"""Time and order: an engine that runs coroutines on a virtual clock.

Nothing happens by itself and nothing happens twice the same way by chance: time passes only when everything that was
due has been done, and what is due at the same moment is done in the order in which it was asked for, or in one that a
seeded generator draws. Coroutines are driven by hand, without asyncio, so a run is the same on every machine.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

type Done = Callable[[Any, BaseException | None], None]
"""What to call at the end of a coroutine: with its result, or with what it raised."""


class Pause:
    """Awaited, it gives the engine the turn for a while."""

    __slots__ = ("wait",)

    def __init__(self, wait: timedelta) -> None:
        self.wait = wait

    def __await__(self) -> Generator[Pause]:
        yield self


class Source(Protocol):
    """Something that has work at times of its own: a queue, for one."""

    def next_due(self) -> datetime | None:
        """When there is work; None while there is none."""
        ...

    def go(self) -> None:
        """Do the work that is due."""
        ...


@dataclass(slots=True, eq=False)
class Task:
    """A coroutine on its way. ``ended`` once it has returned, raised or been killed."""

    coroutine: Coroutine[Any, Any, Any]
    done: Done
    ended: bool = False


class Engine:
    """The clock, and everything that is going to happen."""

    def __init__(self, start: datetime, rng: Random | None = None) -> None:
        """``rng`` draws the order of what is due at the same moment; without one it is first come, first served."""
        self.now = start
        self.steps = 0
        self._rng = rng
        self._count = 0
        self._agenda: list[tuple[datetime, float, int, Callable[[], None]]] = []
        self._sources: list[Source] = []

    def clock(self) -> datetime:
        """What time it is."""
        return self.now

    def add_source(self, source: Source) -> None:
        """Ask this one for work, too."""
        self._sources.append(source)

    def at(self, when: datetime, act: Callable[[], None]) -> None:
        """Do something at a time (now, if that is past)."""
        self._count += 1
        order = self._rng.random() if self._rng else 0.0
        heapq.heappush(self._agenda, (max(when, self.now), order, self._count, act))

    def after(self, wait: timedelta, act: Callable[[], None]) -> None:
        """Do something after a while."""
        self.at(self.now + wait, act)

    def start(self, coroutine: Coroutine[Any, Any, Any], done: Done) -> Task:
        """Run a coroutine from now on; the first part of it at once."""
        task = Task(coroutine, done)
        self._resume(task)
        return task

    def kill(self, task: Task, death: BaseException) -> None:
        """End a coroutine where it stands, as the end of its process does."""
        if not task.ended:
            self._drive(task, lambda: task.coroutine.throw(death))

    def run(self, finished: Callable[[], bool], *, until: datetime) -> bool:
        """Let things happen until all is finished or time is up. Returns whether it was finished."""
        while not finished():
            source, due = self._next()
            if due is None or due > until:
                self.now = max(self.now, until)
                return finished()
            self.now = max(self.now, due)
            self.steps += 1
            if source is not None:
                source.go()
            else:
                heapq.heappop(self._agenda)[3]()
        return True

    def _next(self) -> tuple[Source | None, datetime | None]:
        best: Source | None = None
        due = self._agenda[0][0] if self._agenda else None
        for source in self._sources:
            other = source.next_due()
            if other is not None and (due is None or max(other, self.now) < due):
                best, due = source, other
        return best, due

    def _resume(self, task: Task) -> None:
        if not task.ended:
            self._drive(task, lambda: task.coroutine.send(None))

    def _drive(self, task: Task, push: Callable[[], Pause]) -> None:
        try:
            pause = push()
        except StopIteration as end:
            task.ended = True
            task.done(end.value, None)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as raised:  # noqa: BLE001 - a crash is one, and whoever started the task judges it
            task.ended = True
            task.done(None, raised)
        else:
            self.after(pause.wait, lambda: self._resume(task))
