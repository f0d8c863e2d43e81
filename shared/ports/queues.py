"""The queues that commands travel through."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from shared.domain.messages import Command


class Queues(Protocol):
    """One queue for each kind of command."""

    async def send(self, command: Command, *, delay: timedelta = timedelta(0)) -> None:
        """Send a command, invisible for ``delay`` (whole seconds, at most seven days; longer waits are cut to that)."""
        ...

    async def open(self, body: bytes) -> bytes:
        """The body that a message stands for: itself, or the blob that it names when it was too large for a queue."""
        ...
