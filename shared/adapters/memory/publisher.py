"""A publisher for tests."""

from __future__ import annotations

from collections.abc import Sequence

from shared.codec import encode_document
from shared.domain.messages import Announcement


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
