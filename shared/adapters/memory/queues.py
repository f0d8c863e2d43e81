"""The queues in memory, with the visibility rules of a storage queue and a clock that is an argument.

Methods for the role of the Functions host let a test or simulation deliver messages: ``take`` receives and hides a
message, ``delete`` completes it, and ``put_back`` returns it. Faults can be injected with ``duplicate`` and by taking
due messages in any order.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared.adapters.common.bodies import body_name, body_reference, check_body, pointer_to, whole_seconds
from shared.codec import LARGEST_IN_QUEUE, encode_command
from shared.domain.messages import Command, Kind

RECEIVED_FOR = timedelta(minutes=10)
"""How long the Functions host hides a message that it has received."""


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in a queue. ``number`` identifies it, and ``body`` is what a queue trigger receives."""

    number: int
    kind: Kind
    body: bytes
    visible_at: datetime
    dequeue_count: int = 0


class MemoryQueues:
    """``Queues`` in memory."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Create empty queues. ``now`` returns the current time."""
        self._now = now
        self._numbers = itertools.count(1)
        self._messages: dict[int, QueuedMessage] = {}
        self._schedule: list[tuple[datetime, int]] = []
        self._bodies: dict[str, bytes] = {}

    async def send(self, command: Command, *, delay: timedelta = timedelta(0)) -> None:
        body = encode_command(command)
        if len(body) > LARGEST_IN_QUEUE:
            name = body_name(body)
            self._bodies[name] = body
            body = pointer_to(name, command)
        self.put(command.kind, body, delay=delay)

    async def send_again(self, kind: Kind, body: bytes, *, delay: timedelta) -> None:
        self.put(kind, body, delay=delay)

    async def open(self, body: bytes) -> bytes:
        name = body_reference(body)
        return body if name is None else check_body(name, self._bodies.get(name))

    # --- the role of the Functions host

    def put(self, kind: Kind, body: bytes, *, delay: timedelta = timedelta(0)) -> QueuedMessage:
        """Put any bytes into the queue of a kind, as anyone with access to the queue could."""
        visible_at = self._now() + timedelta(seconds=whole_seconds(delay))
        return self._keep(QueuedMessage(next(self._numbers), kind, body, visible_at))

    def take(self, message: QueuedMessage | None = None) -> QueuedMessage | None:
        """Receive a message that is due (by default the first): hide it and increase its dequeue count.

        Returns None when the message does not exist or is not due.
        """
        chosen = self._first() if message is None else self._messages.get(message.number)
        if chosen is None or chosen.visible_at > self._now():
            return None
        visible_at = self._now() + RECEIVED_FOR
        return self._keep(replace(chosen, visible_at=visible_at, dequeue_count=chosen.dequeue_count + 1))

    def delete(self, message: QueuedMessage) -> None:
        """Complete a message. Does nothing when it does not exist or was received again."""
        if self._messages.get(message.number) == message:
            del self._messages[message.number]

    def put_back(self, message: QueuedMessage, *, delay: timedelta = timedelta(0)) -> None:
        """Make a received message visible again, as the host does after a failure."""
        if self._messages.get(message.number) == message:
            self._keep(replace(message, visible_at=self._now() + delay))

    def duplicate(self, message: QueuedMessage, *, delay: timedelta = timedelta(0)) -> QueuedMessage:
        """Add another message with the same body."""
        return self.put(message.kind, message.body, delay=delay)

    def lose_bodies(self) -> None:
        """Delete the blobs of all large bodies."""
        self._bodies.clear()

    def due(self) -> Sequence[QueuedMessage]:
        """All messages that can be received now, in the order in which they became due."""
        now = self._now()
        return sorted((m for m in self._messages.values() if m.visible_at <= now), key=_order)

    def waiting(self) -> Sequence[QueuedMessage]:
        """All messages, visible or not, in the order in which they become due."""
        return sorted(self._messages.values(), key=_order)

    def next_due(self) -> datetime | None:
        """When the next message can be received. None when there is none."""
        first = self._first()
        return None if first is None else first.visible_at

    def __len__(self) -> int:
        return len(self._messages)

    def _keep(self, message: QueuedMessage) -> QueuedMessage:
        self._messages[message.number] = message
        heapq.heappush(self._schedule, (message.visible_at, message.number))
        return message

    def _first(self) -> QueuedMessage | None:
        while self._schedule:
            visible_at, number = self._schedule[0]
            message = self._messages.get(number)
            if message is not None and message.visible_at == visible_at:
                return message
            heapq.heappop(self._schedule)
        return None


def _order(message: QueuedMessage) -> tuple[datetime, int]:
    return message.visible_at, message.number
