"""A publisher for tests."""

from __future__ import annotations

from collections.abc import Sequence

from shared.codec import encode_document
from shared.domain.limits import MAX_EVENT
from shared.domain.messages import Announcement
from shared.ports import Refused


class MemoryPublisher:
    """Stores what is published, including duplicates."""

    def __init__(self) -> None:
        """Create an empty publisher."""
        self._published: list[Announcement] = []

    async def publish(self, announcement: Announcement) -> None:
        if len(encode_document(announcement.data)) > MAX_EVENT:
            raise Refused("PayloadTooLarge", f"publishing {announcement.type}: the event is too large", 413)
        self._published.append(announcement)

    def published(self) -> Sequence[Announcement]:
        """Everything that was published, in order."""
        return tuple(self._published)
