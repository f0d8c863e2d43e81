"""The queues that carry commands."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from shared.domain.messages import Command, Kind


class Queues(Protocol):
    """One storage queue for each kind of command. Every method may raise Throttled and Unavailable."""

    async def send(self, command: Command, *, delay: timedelta = timedelta(0)) -> None:
        """Send a command that becomes visible after ``delay``.

        The delay is rounded up to whole seconds and cut to just under seven days: a storage queue accepts a
        ``visibilitytimeout`` of 0 seconds to 7 days (Azure REST API, "Put Message"). A body over 48 KiB is stored in a
        blob, and the message names the blob. Raises CodecError for a command that cannot be encoded.
        """
        ...

    async def open(self, body: bytes) -> bytes:
        """Return the body of a message: the message itself, or the content of the blob that it names.

        Raises CodecError when the message is not one of Ringmaster's, or when its blob does not exist.
        """
        ...

    async def send_again(self, kind: Kind, body: bytes, *, delay: timedelta) -> None:
        """Send a received message again, unchanged, to the queue of this kind.

        Used when its body cannot be read now.
        """
        ...
