"""The ports as one running function sees them: where misfortune strikes, and where a watcher sees what was done."""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from local.simulation.calls import NO_WAIT, WELL, Call, Crash, Fates, Run
from local.simulation.scheduler import Pause, Task
from shared.ports import World

PORTS: Final = ("galleries", "machines", "queues", "ledger", "evidence", "publisher")


class Watcher(Protocol):
    """Hears of every call at the moment when it takes effect."""

    def before(self, call: Call) -> None:
        """A call is about to take effect."""
        ...

    def after(self, call: Call, result: Any) -> None:
        """It has, with this result."""
        ...


@dataclass(slots=True, eq=False)
class Worker:
    """A process that runs functions, until it dies with all of them."""

    name: str
    dead: bool = False
    running: dict[int, Task] = field(default_factory=dict)


class Watched:
    """One port in the hands of one function."""

    def __init__(self, port: Any, name: str, run: Run, worker: Worker, fates: Fates, watcher: Watcher) -> None:
        self._port, self._name, self._run = port, name, run
        self._worker, self._fates, self._watcher = worker, fates, watcher

    def __getattr__(self, method: str) -> Any:
        member = getattr(self._port, method)
        function = getattr(member, "__func__", member)
        wrapped = self._stream(method, member) if _is_stream(function) else self._call(method, member)
        self.__dict__[method] = wrapped
        return wrapped

    def _call(self, method: str, member: Callable[..., Any]) -> Callable[..., Any]:
        async def called(*args: Any, **kwargs: Any) -> Any:
            self._alive()
            call = Call(self._run, self._name, method, args, kwargs)
            fate = self._fates(call)
            if fate is not WELL:
                if fate.reach > NO_WAIT:
                    await Pause(fate.reach)
                self._meets(fate.before)
            result = None
            if not fate.vanishes:
                self._watcher.before(call)
                result = await member(*args, **kwargs)
                self._watcher.after(call, result)
            if fate is not WELL:
                if fate.answer > NO_WAIT:
                    await Pause(fate.answer)
                self._meets(fate.after)
            return result

        return called

    def _stream(self, method: str, member: Callable[..., AsyncIterator[Any]]) -> Callable[..., AsyncIterator[Any]]:
        async def streamed(*args: Any, **kwargs: Any) -> AsyncIterator[Any]:
            self._alive()
            call = Call(self._run, self._name, method, args, kwargs)
            fate = self._fates(call)
            if fate.reach > NO_WAIT:
                await Pause(fate.reach)
            self._meets(fate.before)
            self._watcher.before(call)
            found = [item async for item in member(*args, **kwargs)]
            self._watcher.after(call, found)
            # What is wrong with the answer shows when the reader has seen some of it: pages come one by one.
            for item in found[: len(found) // 2]:
                yield item
            self._meets(fate.after)
            for item in found[len(found) // 2 :]:
                yield item

        return streamed

    def _alive(self) -> None:
        # Nothing that a dead process still tries, as Python unwinds it, reaches the world.
        if self._worker.dead:
            raise Crash(self._worker.name)

    def _meets(self, misfortune: BaseException | None) -> None:
        self._alive()
        if misfortune is None:
            return
        if isinstance(misfortune, Crash):
            self._worker.dead = True
        raise misfortune


# Asking costs more than most calls do, and each method is asked about at every run.
_is_stream = functools.cache(inspect.isasyncgenfunction)


def seen_by(world: World, run: Run, worker: Worker, fates: Fates, watcher: Watcher) -> World:
    """The world in the hands of one run of a function."""
    ports = {name: Watched(getattr(world, name), name, run, worker, fates, watcher) for name in PORTS}
    return replace(world, **ports)
