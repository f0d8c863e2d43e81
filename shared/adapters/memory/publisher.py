"""Publishers that reach nobody."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from shared.codec import encode_document
from shared.domain.messages import Announcement

_log = logging.getLogger(__name__)


class MemoryPublisher:
    """Keeps what was published, repetitions too: it is the reader who recognises those by their id."""

    def __init__(self) -> None:
        """Begin empty."""
        self._published: list[Announcement] = []

    async def publish(self, announcement: Announcement) -> None:
        encode_document(announcement.data)
        self._published.append(announcement)

    def published(self) -> Sequence[Announcement]:
        """Everything that was published, in order."""
        return tuple(self._published)


class SilentPublisher:
    """For an installation without an Event Grid topic: says once that nobody is told."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said = False

    async def publish(self, announcement: Announcement) -> None:
        if not self._said:
            self._said = True
            _log.warning(
                "No one is told of %s, nor of anything later: RINGMASTER_EVENTGRID_TOPIC_ENDPOINT is not set",
                announcement.version.short,
            )
