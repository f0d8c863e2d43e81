"""A publisher that keeps what it is given."""

from __future__ import annotations

from collections.abc import Sequence

from shared.codec import encode_document
from shared.domain.messages import Announcement


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
