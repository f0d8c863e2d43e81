"""The World of a worker process. It is built at the first invocation and shared by all later ones.

An invalid policy pauses all evaluation, and nothing is lost: Event Grid receives an error and delivers the event again,
HTTP callers receive 503, and commands return to their queue without using up an attempt, until a valid policy is
deployed.
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
    """The current time. All code below the triggers receives it as an argument."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Runtime:
    """The settings, and the World, which is built on first use.

    Building it imports the Azure SDKs. Triggers that only reject a request do not need them.
    """

    settings: Settings
    _world: World | None = None
    _queues: Queues | None = None
    _building: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def world(self) -> World:
        """Return the World. Raises PolicyFaults, after logging every error, when the policy is invalid."""
        if self._world is None:
            async with self._building:
                if self._world is None:
                    try:
                        self._world = build_world(self.settings)
                    except PolicyFaults as faults:
                        log.critical(
                            "the policy is invalid; releases are paused until a valid policy is deployed:\n%s", faults
                        )
                        raise
        return self._world

    def queues(self) -> Queues:
        """Return the queues, which are available without a policy."""
        if self._queues is None:
            self._queues = self._world.queues if self._world else build_queues(self.settings)
        return self._queues
