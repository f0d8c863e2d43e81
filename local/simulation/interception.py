"""The ports as one running function sees them: every call passes fault injection, and an observer sees its effect."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from local.simulation.calls import NO_DELAY, NO_INJECTION, Call, Injector, Invocation, ProcessCrash
from local.simulation.scheduler import Sleep, Task
from shared.ports import World

PORTS: Final = ("galleries", "machines", "queues", "ledger", "evidence", "publisher")
"""Ports that have outages. A seed draws one of them, so that another one would change what every seed means."""
INTERCEPTED: Final = (*PORTS, "activity_log", "usage", "health")


class CallObserver(Protocol):
    """Is told of every call at the moment when it takes effect."""

    def before_call(self, call: Call) -> None:
        """A call is about to take effect."""
        ...

    def after_call(self, call: Call, result: Any) -> None:
        """A call has taken effect, with this result."""
        ...


@dataclass(slots=True, eq=False)
class WorkerProcess:
    """A process that runs functions. Its crash ends all of them."""

    name: str
    crashed: bool = False
    running: dict[int, Task] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """In which invocation and process a port is used, what injects faults into its calls and who observes them."""

    invocation: Invocation
    worker: WorkerProcess
    injector: Injector
    observer: CallObserver


class InterceptedPort:
    """One port as one invocation sees it."""

    def __init__(self, port: Any, name: str, context: Context) -> None:
        self._port, self._name = port, name
        self._invocation, self._worker = context.invocation, context.worker
        self._injector, self._observer = context.injector, context.observer

    def __getattr__(self, method: str) -> Any:
        member = getattr(self._port, method)
        function = getattr(member, "__func__", member)
        wrapped = self._stream(method, member) if _is_stream(function) else self._call(method, member)
        self.__dict__[method] = wrapped
        return wrapped

    def _call(self, method: str, member: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any, **kwargs: Any) -> Any:
            self._check_alive()
            call = Call(self._invocation, self._name, method, args, kwargs)
            injection = self._injector(call)
            if injection is not NO_INJECTION:
                if injection.delay_before > NO_DELAY:
                    await Sleep(injection.delay_before)
                self._raise(injection.error_before)
            result = None
            if not injection.operation_fails:
                self._observer.before_call(call)
                result = await member(*args, **kwargs)
                self._observer.after_call(call, result)
            if injection is not NO_INJECTION:
                if injection.delay_after > NO_DELAY:
                    await Sleep(injection.delay_after)
                self._raise(injection.error_after)
            return result

        return called

    def _stream(self, method: str, member: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def streamed(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            self._check_alive()
            call = Call(self._invocation, self._name, method, args, kwargs)
            injection = self._injector(call)
            if injection.delay_before > NO_DELAY:
                await Sleep(injection.delay_before)
            self._raise(injection.error_before)
            self._observer.before_call(call)
            found = [item async for item in member(*args, **kwargs)]
            self._observer.after_call(call, found)
            # Pages come one by one, so the error is raised when the reader has seen half of the answer.
            for item in found[: len(found) // 2]:
                yield item
            self._raise(injection.error_after)
            for item in found[len(found) // 2 :]:
                yield item

        return streamed

    def _check_alive(self) -> None:
        # While Python unwinds the coroutines of a crashed process, their calls must not reach the cloud.
        if self._worker.crashed:
            raise ProcessCrash(self._worker.name)

    def _raise(self, error: BaseException | None) -> None:
        self._check_alive()
        if error is None:
            return
        if isinstance(error, ProcessCrash):
            self._worker.crashed = True
        raise error


# Inspecting costs more than most calls do, and each method is asked for in every invocation.
_is_stream = functools.cache(inspect.isasyncgenfunction)


def intercept(world: World, context: Context) -> World:
    """The world as one invocation sees it."""
    ports = {name: InterceptedPort(getattr(world, name), name, context) for name in INTERCEPTED}
    return replace(world, **ports)
