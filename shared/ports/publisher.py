"""Publishing events to the consumers of images."""

from __future__ import annotations

from typing import Protocol

from shared.domain.messages import Announcement


class Publisher(Protocol):
    """Publish events to the consumers of images."""

    async def publish(self, announcement: Announcement) -> None:
        """Publish one CloudEvent 1.0. Consumers recognize a duplicate by its ``source`` and ``id``.

        Raises Throttled or Unavailable when the topic does not accept it now, and Refused when it never will.
        """
        ...
