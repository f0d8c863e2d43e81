"""Wakes a listener when this host writes to its queue (SharedQueueWatcher of the WebJobs SDK)."""

import asyncio


class Wakeups:
    """Events by connection and queue."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], list[asyncio.Event]] = {}

    def register(self, connection: str, queue: str) -> asyncio.Event:
        """The event that is set whenever the host writes to `queue`."""
        event = asyncio.Event()
        self._events.setdefault((connection, queue), []).append(event)
        return event

    def written(self, connection: str, queue: str) -> None:
        """Call it after the host wrote to `queue`."""
        for event in self._events.get((connection, queue), ()):
            event.set()
