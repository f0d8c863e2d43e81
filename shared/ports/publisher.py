"""Publishing events to the consumers of images."""

from __future__ import annotations

import logging
from typing import Protocol

from shared.domain.messages import Announcement

_log = logging.getLogger(__name__)


class Publisher(Protocol):
    """Publish events to the consumers of images."""

    async def publish(self, announcement: Announcement) -> None:
        """Publish one CloudEvent 1.0. Consumers recognize a duplicate by its ``source`` and ``id``.

        Raises Throttled or Unavailable when the topic does not accept it now, and Refused when it never will.
        """
        ...


class SilentPublisher:
    """For an installation without an Event Grid topic: discards events, and logs that once."""

    def __init__(self) -> None:
        """Create a publisher that has not logged yet."""
        self._said = False

    async def publish(self, announcement: Announcement) -> None:
        if not self._said:
            self._said = True
            _log.warning(
                "no event is published for %s or for later releases: RINGMASTER_EVENTGRID_TOPIC_ENDPOINT is not set",
                announcement.version.short,
            )
