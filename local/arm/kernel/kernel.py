"""State, time and dice of a simulator, and all that works on them: what handlers and hooks may use."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from local.arm.kernel.activity import ActivityLog
from local.arm.kernel.clock import Clock
from local.arm.kernel.events import DeliveryPlan, Events
from local.arm.kernel.fault_injection import FaultPlan
from local.arm.kernel.messages import Call, Incoming, Outcome, Reply
from local.arm.kernel.operations import Operations
from local.arm.kernel.schedule import Schedule
from local.arm.kernel.store import Resource, Store
from local.arm.kernel.throttling import Throttle
from local.arm.kernel.tokens import Tokens

type Hook = Callable[["Kernel", dict[str, Any], float], None]
"""What happens when a time has come: it is given the payload that was planned and the time when it was due."""


@dataclass(kw_only=True)
class Kernel:
    """All parts of the simulator that handlers and hooks may use.

    `hooks` are those of all modules by name; `handle` answers a request that comes from within.
    """

    store: Store
    clock: Clock
    seed: int
    delivery: DeliveryPlan
    hooks: Mapping[str, Hook]
    handle: Callable[[Incoming], Outcome]

    def __post_init__(self) -> None:
        """Put the parts together."""
        self.woken = asyncio.Event()
        self.schedule = Schedule(self.store)
        self.events = Events(self.store, self.clock, self.delivery, dice=self.random, wake=self.wake)
        self.operations = Operations(self.store, self.clock, self.schedule, self.events, run_hook=self.run_hook)
        self.throttle = Throttle(self.clock)
        self.faults = FaultPlan(self.store, self.clock, self.random("faults"))
        self.tokens = Tokens(self.store)
        self.calls: deque[Call] = deque(maxlen=500_000)
        self.graph_view: Callable[[float], Iterable[Resource]] = lambda _now: self.store
        """The resources that Resource Graph knows at a time; all of them, unless it lags (`management/graph_index`)."""
        self.store.commit()

    @property
    def activity(self) -> ActivityLog:
        """The activity log."""
        return self.events.activity

    def random(self, *parts: Any) -> Random:
        """Dice for one purpose: the same seed and parts give the same throws, whatever else happens."""
        return Random("/".join([str(self.seed), *map(str, parts)]).lower())

    def wake(self) -> None:
        """Let the background work look again at what is due."""
        self.woken.set()

    def run_hook(self, name: str, payload: dict[str, Any], at: float) -> None:
        """Run the hook called `name`."""
        self.hooks[name](self, payload, at)

    def settle(self, now: float | None = None) -> None:
        """Let everything happen that should have happened by `now`, in order, and keep it."""
        until = self.clock.now() if now is None else now
        while (entry := self.schedule.take_due(until)) is not None:
            self.run_hook(entry["hook"], entry["payload"], entry["at"])
        self.store.commit()

    def on_behalf(self, app_id: str, method: str, path: str, *, api_version: str, body: str, base_url: str) -> Reply:
        """Send a request from within, as one caller: what a deployment does."""
        caller = self.tokens.find(app_id) or self.tokens.identities[0]
        token = self.tokens.issue(caller, base_url, self.clock.now())[0]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        query = {"api-version": api_version}
        return self.handle(Incoming(method, path, query, headers, body.encode(), base_url)).reply
