"""The queues that commands travel through."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from shared.domain.messages import Command, Kind


class Queues(Protocol):
    """One queue for each kind of command."""

    async def send(self, command: Command, *, delay: timedelta = timedelta(0)) -> None:
        """Send a command, invisible for ``delay`` (whole seconds, at most seven days; longer waits are cut to that)."""
        ...

    async def open(self, body: bytes) -> bytes:
        """The body that a message stands for: itself, or the blob that it names when it was too large for a queue.

        Raises CodecError for what is no message of ours, and when that blob is gone; Throttled or Unavailable while it
        can't be read.
        """
        ...

    async def send_again(self, kind: Kind, body: bytes, *, delay: timedelta) -> None:
        """Send a message that can't be opened now once more through the queue of this kind, as it is."""
        ...
