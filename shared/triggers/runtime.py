"""The one world of a worker process, built at the first invocation and shared by all that follow.

A policy that can't be used stops everything that judges, and loses nothing: Event Grid is told to come again, people
and scanners get 503, and a queue's command goes back to its queue unspent, until a policy that can be used is deployed.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.policy_file import PolicyFaults
from shared.ports import Queues, World
from shared.settings import Settings
from shared.wiring import build_queues, build_world

log = logging.getLogger("ringmaster.policy")


def utc_now() -> datetime:
    """The clock. Everything below the triggers is given the time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Runtime:
    """Settings, and the world as soon as somebody asks for it.

    Building it imports the service SDKs, which intake that only refuses something need not wait for.
    """

    settings: Settings
    _world: World | None = None
    _queues: Queues | None = None
    _building: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def world(self) -> World:
        """The world. Raises PolicyFaults when the policy can't be used, and has logged every fault then."""
        if self._world is None:
            async with self._building:
                if self._world is None:
                    try:
                        self._world = build_world(self.settings)
                    except PolicyFaults as faults:
                        log.critical("the policy can't be used, and nothing is judged until it can:\n%s", faults)
                        raise
        return self._world

    def queues(self) -> Queues:
        """The queues, which are there without a policy."""
        if self._queues is None:
            self._queues = self._world.queues if self._world else build_queues(self.settings)
        return self._queues
