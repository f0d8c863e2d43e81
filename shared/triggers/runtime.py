"""The one world of a worker process, built at the first invocation and shared by all that follow."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.ports import World
from shared.settings import Settings
from shared.wiring import build_world


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
    _building: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def world(self) -> World:
        """The world. Raises PolicyFaults when the policy can't be used."""
        if self._world is None:
            async with self._building:
                if self._world is None:
                    self._world = build_world(self.settings)
        return self._world
