"""Runs one invocation: worker call, time limit, output bindings and log entry."""

import asyncio
import logging
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from local.host.functions import FunctionSpec
from local.host.records import InvocationRecord, Journal, Outcome
from local.host.timespan import format_timespan
from local.host.worker import Datum, Reply, Worker

logger = logging.getLogger("local.host")

OutputWriter = Callable[[FunctionSpec, Reply], Awaitable[None]]


class OutputError(Exception):
    """An output binding could not be written. The invocation counts as failed, as in Azure."""


@dataclass(frozen=True)
class Result:
    """The result of an invocation, for its trigger."""

    ok: bool
    returned: Datum | None = None
    outputs: tuple[tuple[str, Datum], ...] = ()
    error: str = ""


class Invoker:
    """Runs the functions of one worker within `functionTimeout`.

    In Azure, a function that exceeds `functionTimeout` ends its worker process. Here the invocation is cancelled and
    counts as failed. A synchronous function continues in its thread, because Python cannot stop threads.
    """

    def __init__(
        self,
        worker: Worker,
        journal: Journal,
        timeout: timedelta | None,
        write_outputs: OutputWriter,
        *,
        traces: bool = False,
    ) -> None:
        """`traces` gives functions a trace context, as the host does where telemetry is configured."""
        self._worker = worker
        self._journal = journal
        self._timeout = timeout
        self._write_outputs = write_outputs
        self._traces = traces
        self._running: set[asyncio.Task[Reply]] = set()
        self._cancelling = False
        self.names: dict[str, str] = {}  # invocation id -> function name of running invocations, for log entries

    @property
    def running(self) -> int:
        """The number of running invocations."""
        return len(self._running)

    async def run(
        self,
        spec: FunctionSpec,
        value: Datum,
        metadata: dict[str, Datum] | None = None,
        *,
        traceparent: str = "",
        dequeue_count: int | None = None,
        message_id: str | None = None,
    ) -> Result:
        """Invoke a function. Errors of the function are in the result; only cancellation is raised."""
        invocation_id = str(uuid.uuid4())
        started = time.perf_counter()
        task = asyncio.create_task(
            self._worker.invoke(
                invocation_id,
                spec.function_id,
                [(spec.trigger.name, value)],
                metadata or {},
                (traceparent or new_traceparent()) if self._traces else "",
            )
        )
        self._running.add(task)
        self.names[invocation_id] = spec.name
        outcome: Outcome = "cancelled"
        reply = Reply(ok=False, error="the host stopped before the function ended")
        try:
            outcome, reply = await self._finish(spec, task)
        finally:
            task.cancel()
            self._running.discard(task)
            self.names.pop(invocation_id, None)
            ms = round((time.perf_counter() - started) * 1000, 2)
            self._journal.add(
                InvocationRecord(
                    spec.name,
                    invocation_id,
                    spec.trigger.type,
                    outcome,
                    ms,
                    dequeue_count,
                    message_id,
                    reply.error or None,
                )
            )
            if reply.traceback:
                logger.error("%s (%s) raised\n%s", spec.name, invocation_id, reply.traceback.rstrip())
        return Result(reply.ok, reply.returned, reply.outputs, reply.error)

    async def _finish(self, spec: FunctionSpec, task: asyncio.Task[Reply]) -> tuple[Outcome, Reply]:
        seconds = None if self._timeout is None else self._timeout.total_seconds()
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            assert self._timeout is not None
            limit = format_timespan(self._timeout)
            return "timed_out", Reply(
                ok=False, error=f"Timeout value of {limit} was exceeded by function: Functions.{spec.name}"
            )
        if task.cancelled():
            if self._cancelling:
                raise asyncio.CancelledError  # the trigger must behave as after a crash
            return "failed", Reply(ok=False, error="CancelledError")
        reply = task.result()
        if reply.ok and spec.outputs:
            try:
                await self._write_outputs(spec, reply)
            except OutputError as fault:
                return "failed", Reply(ok=False, error=str(fault))
        return ("succeeded" if reply.ok else "failed"), reply

    async def drain(self, seconds: float) -> int:
        """Wait up to `seconds` for running invocations and cancel the rest. Returns how many were cancelled."""
        if not self._running:
            return 0
        _, left = await asyncio.wait(set(self._running), timeout=seconds)
        self._cancelling = True
        for task in left:
            task.cancel()
        return len(left)


def new_traceparent() -> str:
    """A new W3C trace context, sampled. An invocation without a caller starts its own trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
