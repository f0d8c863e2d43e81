"""Publishers for tests, and for installations without a topic."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from shared.codec import encode_document
from shared.domain.messages import Announcement

_log = logging.getLogger(__name__)


class MemoryPublisher:
    """Stores what is published, including duplicates."""

    def __init__(self) -> None:
        """Create an empty publisher."""
        self._published: list[Announcement] = []

    async def publish(self, announcement: Announcement) -> None:
        encode_document(announcement.data)
        self._published.append(announcement)

    def published(self) -> Sequence[Announcement]:
        """Everything that was published, in order."""
        return tuple(self._published)


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
