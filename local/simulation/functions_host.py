"""The Functions host and Event Grid, as far as the app can tell: who is called when, and what becomes of a failure.

The rules are the host's own (Storage Queue extension 5): a received message hides for ten minutes; after a failed run
it comes again after ``visibilityTimeout``, and goes to the poison queue when it was received five times; a message
whose function died with its process just stays hidden; nothing follows a poison queue, whose messages are tried for
ever. Event Grid repeats a delivery that failed, ever more slowly, for a day. A timer is not repeated.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from local.simulation.calls import Crash, Fates, Run
from local.simulation.interception import Watcher, Worker, seen_by
from local.simulation.scheduler import Engine
from shared.adapters.memory.queues import MemoryQueues, QueuedMessage
from shared.domain.messages import VersionWritten
from shared.domain.outcomes import Dropped, Step
from shared.engine import dispatch, intake, poison
from shared.engine.receive import receive
from shared.ports import PassingFault, World
from shared.timers import reconcile

MAX_DEQUEUE_COUNT: Final = 5
VISIBILITY_TIMEOUT: Final = timedelta(seconds=30)
RETRIES: Final = tuple(timedelta(seconds=wait) for wait in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200))
"""Event Grid's waits between deliveries; then it gives up."""
FUNCTION_TIMEOUT: Final = timedelta(minutes=5)
"""``functionTimeout`` in host.json: the host kills the worker of a function that takes longer."""
SCANNER_RETRY: Final = timedelta(minutes=1)

type Work = Callable[[World, datetime, Run], Awaitable[Any]]
"""One function: given the world as it sees it, the time, and the run that it is."""
type Wrap = Callable[[World], World]
"""Changes the world that a function sees."""
type After = Callable[[Any, BaseException | None], None]


@dataclass(frozen=True, slots=True)
class Mail:
    """What the queue does with a due message: it comes as it should, twice, later, or never."""

    again: timedelta | None = None
    later: timedelta | None = None
    lost: bool = False


AS_IT_SHOULD: Final = Mail()


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run of a function ended. ``error`` is None when it returned."""

    run: Run
    result: Any
    error: BaseException | None

    @property
    def function(self) -> str:
        """The function that ran."""
        return self.run.function


class Host:
    """Runs functions on one worker at a time, or several side by side."""

    def __init__(
        self,
        engine: Engine,
        world: World,
        queues: MemoryQueues,
        *,
        fates: Fates,
        watcher: Watcher,
        parallel: int = 1,
        skew: Callable[[], timedelta] = lambda: timedelta(0),
        mail: Callable[[QueuedMessage], Mail] = lambda _: AS_IT_SHOULD,
        wrap: Wrap = lambda world: world,
    ) -> None:
        """``parallel`` is how many messages are worked on at once; ``skew`` is how wrong a function's clock is."""
        self.engine, self.world, self.queues = engine, world, queues
        self.poison = MemoryQueues(engine.clock)
        self.ran: list[Ran] = []
        self.on_ran: Callable[[Ran], None] = self.ran.append
        self.on_hop: Callable[[Run, Step], None] = lambda *_: None
        self.lost_events: list[VersionWritten] = []
        self._fates, self._watcher, self._skew = fates, watcher, skew
        self._mail, self._wrap = mail, wrap
        self._parallel, self._busy = parallel, 0
        self._numbers = itertools.count(1)
        self._worker = Worker("worker 1")
        self._workers = itertools.count(2)
        engine.add_source(self)

    # --- queues -------------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        """When the next message can be received, while there is room for one more."""
        if self._busy >= self._parallel:
            return None
        due = [each for each in (self.queues.next_due(), self.poison.next_due()) if each is not None]
        return min(due, default=None)

    def go(self) -> None:
        """Receive one message and run its function."""
        message = self.queues.take()
        if message is not None:
            if self._comes(message, self._mail(message)):
                self._receive(message)
            return
        message = self.poison.take()
        if message is not None:
            self._bury(message)

    def _comes(self, message: QueuedMessage, mail: Mail) -> bool:
        if mail.lost:
            self.queues.delete(message)
        elif mail.later is not None:
            self.queues.delete(message)
            self.queues.put(message.kind, message.body, delay=mail.later)
        elif mail.again is not None:
            self.queues.duplicate(message, delay=mail.again)
        return not mail.lost and mail.later is None

    def _receive(self, message: QueuedMessage) -> None:
        if message.dequeue_count > MAX_DEQUEUE_COUNT:
            self._give_up(message)
            return

        def after(_: Any, error: BaseException | None) -> None:
            self._busy -= 1
            if error is None:
                self.queues.delete(message)
            elif isinstance(error, Crash):
                return  # it stays hidden until its ten minutes are over
            elif message.dequeue_count >= MAX_DEQUEUE_COUNT:
                self._give_up(message)
            else:
                self.queues.put_back(message, delay=VISIBILITY_TIMEOUT)

        self._busy += 1
        self.run(
            message.kind,
            lambda world, now, run: self._hop(message, world, now, run),
            after,
            what=f"message {message.number}",
        )

    async def _hop(self, message: QueuedMessage, world: World, now: datetime, run: Run) -> Step:
        """What the queue triggers do (``shared/triggers/storage_queues.py``)."""
        command = await receive(message.body, message.kind, world.queues, now=now, pace=world.pace)
        if isinstance(command, Dropped):
            return command
        run.command = command
        try:
            step = await dispatch.handle(command, world, now=now)
        except Exception as error:
            with contextlib.suppress(PassingFault):
                await poison.note_failure(command, error, world)
            raise
        self.on_hop(run, step)
        return step

    def _give_up(self, message: QueuedMessage) -> None:
        self.poison.put(message.kind, message.body)
        self.queues.delete(message)

    def _bury(self, message: QueuedMessage) -> None:
        def after(_: Any, error: BaseException | None) -> None:
            self._busy -= 1
            if error is None:
                self.poison.delete(message)

        self._busy += 1
        queue = f"image-{message.kind}"
        self.run(
            f"{message.kind}_poison",
            lambda world, now, _: poison.poisoned(queue, message.body, world, now=now),
            after,
        )

    # --- Event Grid, timers, scanners ---------------------------------------------------------------------------------

    def deliver(self, event: VersionWritten, *, attempt: int = 0) -> None:
        """Deliver an event of a written version, again and again until it is taken or Event Grid gives up."""

        def after(_: Any, error: BaseException | None) -> None:
            if error is None:
                return
            if attempt >= len(RETRIES):
                self.lost_events.append(event)
                return
            self.engine.after(RETRIES[attempt], lambda: self.deliver(event, attempt=attempt + 1))

        self.run(
            "on_image_version_written",
            lambda world, now, _: intake.version_written(event, world, now=now),
            after,
            what=event.version.short,
        )

    def post_report(self, work: Work, what: str) -> None:
        """A scanner posts a report, again each minute until it is accepted."""

        def after(_: Any, error: BaseException | None) -> None:
            if error is not None:
                self.engine.after(SCANNER_RETRY, lambda: self.post_report(work, what))

        self.run("scans", work, after, what=what)

    def reconcile_every(self, period: timedelta) -> None:
        """The timer: now, and then every so often."""
        self.run("reconcile", lambda world, now, _: reconcile.run(world, now=now), lambda *_: None)
        self.engine.after(period, lambda: self.reconcile_every(period))

    # --- functions ----------------------------------------------------------------------------------------------------

    def run(self, function: str, work: Work, after: After, *, what: str = "") -> None:
        """Run one function in the worker process. Its crash takes along everything that runs beside it."""
        if self._worker.dead:
            self._worker = Worker(f"worker {next(self._workers)}")
        worker, run = self._worker, Run(next(self._numbers), function, what, self.engine.now)
        world = self._wrap(seen_by(self.world, run, worker, self._fates, self._watcher))

        def done(result: Any, error: BaseException | None) -> None:
            worker.running.pop(run.number, None)
            self.on_ran(Ran(run, result, error))
            after(result, error)
            if isinstance(error, Crash):
                self.kill(worker)

        async def body() -> Any:
            return await work(world, run.began + self._skew(), run)

        task = self.engine.start(body(), done)
        if not task.ended:
            worker.running[run.number] = task
            self.engine.after(FUNCTION_TIMEOUT, lambda: None if task.ended else self.kill(worker))

    def kill(self, worker: Worker | None = None) -> None:
        """Kill a worker process with everything that runs in it; the next function starts another."""
        worker = worker or self._worker
        worker.dead = True
        for task in list(worker.running.values()):
            self.engine.kill(task, Crash(worker.name))
