"""The Functions host and Event Grid as the app sees them: which function runs when, and what follows a failure.

The rules are the host's own (Storage Queue extension 5). A received message is invisible for ten minutes. After a
failed run it is visible again after ``visibilityTimeout``; when it was received five times it moves to the poison
queue. A message whose function died with its process stays invisible until its ten minutes are over. Messages of a
poison queue are retried without end. Event Grid retries a failed delivery at growing intervals for a day. A timer is
not retried.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from local.simulation.calls import Injector, Invocation, ProcessCrash
from local.simulation.instances import ONLY_INSTANCE, Instance
from local.simulation.interception import CallObserver, Context, WorkerProcess, intercept
from local.simulation.scheduler import Scheduler
from shared.adapters.memory.queues import MemoryQueues, QueuedMessage
from shared.domain.messages import VersionWritten
from shared.domain.outcomes import Dropped, HopResult
from shared.engine import dispatch, intake, poison
from shared.engine.receive import receive
from shared.ports import PassingFault, World
from shared.timers import reconcile

MAX_DEQUEUE_COUNT: Final = 5
VISIBILITY_TIMEOUT: Final = timedelta(seconds=30)
EVENT_RETRIES: Final = tuple(
    timedelta(seconds=wait) for wait in (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)
)
"""Event Grid's waits between deliveries; then it drops the event."""
FUNCTION_TIMEOUT: Final = timedelta(minutes=5)
"""``functionTimeout`` in host.json: the host kills the worker of a function that takes longer."""
SCANNER_RETRY: Final = timedelta(minutes=1)

type Work = Callable[[World, datetime, Invocation], Awaitable[Any]]
"""The body of a function: given the world as it sees it, the time on its clock, and its invocation."""
type WorldWrapper = Callable[[World], World]
"""Changes the world that a function sees."""
type OnEnd = Callable[[Any, BaseException | None], None]


@dataclass(frozen=True, slots=True)
class Delivery:
    """How the queue delivers a due message: normally, and once more later; delayed; or never."""

    duplicate_after: timedelta | None = None
    delayed_by: timedelta | None = None
    lost: bool = False


DELIVERED_ONCE: Final = Delivery()


@dataclass(frozen=True, slots=True)
class InvocationResult:
    """How an invocation ended. ``error`` is None when the function returned."""

    invocation: Invocation
    value: Any
    error: BaseException | None

    @property
    def function(self) -> str:
        """The function that ran."""
        return self.invocation.function


class FunctionsHost:
    """Runs functions in one worker process at a time, one by one or several at once."""

    def __init__(
        self,
        scheduler: Scheduler,
        world: World,
        queues: MemoryQueues,
        *,
        injector: Injector,
        observer: CallObserver,
        parallel: int = 1,
        instance: Callable[[], Instance] = lambda: ONLY_INSTANCE,
        deliver_message: Callable[[QueuedMessage], Delivery] = lambda _: DELIVERED_ONCE,
        wrap_world: WorldWrapper = lambda world: world,
    ) -> None:
        """``parallel`` is how many messages are handled at once; ``instance`` is which one a function runs on."""
        self.scheduler, self.world, self.queues = scheduler, world, queues
        self.poison = MemoryQueues(scheduler.clock)
        self.results: list[InvocationResult] = []
        self.on_result: Callable[[InvocationResult], None] = self.results.append
        self.on_step: Callable[[Invocation, HopResult], None] = lambda *_: None
        self._injector, self._observer, self._instance = injector, observer, instance
        self._deliver_message, self._wrap_world = deliver_message, wrap_world
        self._parallel, self._busy = parallel, 0
        self._invocation_numbers = itertools.count(1)
        self._worker = WorkerProcess("worker 1")
        self._worker_numbers = itertools.count(2)
        scheduler.add_source(self)

    # --- queues -------------------------------------------------------------------------------------------------------

    def next_due(self) -> datetime | None:
        """When the next message can be received; None also while as many are handled as may be at once."""
        if self._busy >= self._parallel:
            return None
        due = [each for each in (self.queues.next_due(), self.poison.next_due()) if each is not None]
        return min(due, default=None)

    def run_due(self) -> None:
        """Receive one message and run its function."""
        message = self.queues.take()
        if message is not None:
            if self._is_delivered(message, self._deliver_message(message)):
                self._receive(message)
            return
        message = self.poison.take()
        if message is not None:
            self._receive_poison(message)

    def _is_delivered(self, message: QueuedMessage, delivery: Delivery) -> bool:
        if delivery.lost:
            self.queues.delete(message)
        elif delivery.delayed_by is not None:
            self.queues.delete(message)
            self.queues.put(message.kind, message.body, delay=delivery.delayed_by)
        elif delivery.duplicate_after is not None:
            self.queues.duplicate(message, delay=delivery.duplicate_after)
        return not delivery.lost and delivery.delayed_by is None

    def _receive(self, message: QueuedMessage) -> None:
        if message.dequeue_count > MAX_DEQUEUE_COUNT:
            self._move_to_poison(message)
            return

        def on_end(_: Any, error: BaseException | None) -> None:
            self._busy -= 1
            if error is None:
                self.queues.delete(message)
            elif isinstance(error, ProcessCrash):
                return  # it stays invisible until its ten minutes are over
            elif message.dequeue_count >= MAX_DEQUEUE_COUNT:
                self._move_to_poison(message)
            else:
                self.queues.put_back(message, delay=VISIBILITY_TIMEOUT)

        self._busy += 1
        self.invoke(
            message.kind,
            lambda world, now, invocation: self._handle(message, world, now, invocation),
            on_end,
            subject=f"message {message.number}",
        )

    async def _handle(self, message: QueuedMessage, world: World, now: datetime, invocation: Invocation) -> HopResult:
        """What the queue triggers do (``shared/triggers/storage_queues.py``)."""
        command = await receive(message.body, message.kind, world.queues, now=now, pace=world.pace)
        if isinstance(command, Dropped):
            return command
        invocation.command = command
        try:
            step = await dispatch.handle(command, world, now=now)
        except Exception as error:
            with contextlib.suppress(PassingFault):
                await poison.note_failure(command, error, world)
            raise
        self.on_step(invocation, step)
        return step

    def _move_to_poison(self, message: QueuedMessage) -> None:
        self.poison.put(message.kind, message.body)
        self.queues.delete(message)

    def _receive_poison(self, message: QueuedMessage) -> None:
        def on_end(_: Any, error: BaseException | None) -> None:
            self._busy -= 1
            if error is None:
                self.poison.delete(message)

        self._busy += 1
        queue = f"image-{message.kind}"
        self.invoke(
            f"{message.kind}_poison",
            lambda world, now, _: poison.on_poison(queue, message.body, world, now=now),
            on_end,
        )

    # --- Event Grid, timers, scanners ---------------------------------------------------------------------------------

    def deliver_event(self, event: VersionWritten, *, attempt: int = 0) -> None:
        """Deliver an event of a written version, until a function accepts it or Event Grid drops it."""

        def on_end(_: Any, error: BaseException | None) -> None:
            if error is None or attempt >= len(EVENT_RETRIES):
                return
            self.scheduler.call_later(EVENT_RETRIES[attempt], lambda: self.deliver_event(event, attempt=attempt + 1))

        self.invoke(
            "on_image_version_written",
            lambda world, now, _: intake.version_written(event, world, now=now),
            on_end,
            subject=event.version.short,
        )

    def post_report(self, work: Work, subject: str) -> None:
        """A scanner posts a report, again each minute until it is accepted."""

        def on_end(_: Any, error: BaseException | None) -> None:
            if error is not None:
                self.scheduler.call_later(SCANNER_RETRY, lambda: self.post_report(work, subject))

        self.invoke("scans", work, on_end, subject=subject)

    def reconcile_every(self, period: timedelta) -> None:
        """Run the reconcile timer now, and then once in each period."""
        self.invoke("reconcile", lambda world, now, _: reconcile.run(world, now=now), lambda *_: None)
        self.scheduler.call_later(period, lambda: self.reconcile_every(period))

    # --- functions ----------------------------------------------------------------------------------------------------

    def invoke(self, function: str, work: Work, on_end: OnEnd, *, subject: str = "") -> None:
        """Run one function in the worker process. Its crash ends everything that runs in the same process."""
        if self._worker.crashed:
            self._worker = WorkerProcess(f"worker {next(self._worker_numbers)}")
        worker = self._worker
        invocation = Invocation(next(self._invocation_numbers), function, subject, self.scheduler.now)
        context = Context(invocation, worker, self._injector, self._observer)
        instance = self._instance()
        deployed = self.world if instance.policy is None else replace(self.world, policy=instance.policy)
        world = self._wrap_world(intercept(deployed, context))

        def on_done(value: Any, error: BaseException | None) -> None:
            worker.running.pop(invocation.number, None)
            self.on_result(InvocationResult(invocation, value, error))
            on_end(value, error)
            if isinstance(error, ProcessCrash):
                self.kill(worker)

        async def body() -> Any:
            return await work(world, invocation.started_at + instance.clock_error, invocation)

        task = self.scheduler.start(body(), on_done)
        if not task.ended:
            worker.running[invocation.number] = task
            self.scheduler.call_later(FUNCTION_TIMEOUT, lambda: None if task.ended else self.kill(worker))

    def kill(self, worker: WorkerProcess | None = None) -> None:
        """Kill a worker process with everything that runs in it; the next function starts another."""
        worker = worker or self._worker
        worker.crashed = True
        for task in list(worker.running.values()):
            self.scheduler.kill(task, ProcessCrash(worker.name))
