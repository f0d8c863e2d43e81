"""Who tells consumers of images."""

from __future__ import annotations

from typing import Protocol

from shared.domain.messages import Announcement


class Publisher(Protocol):
    """Tells consumers of images."""

    async def publish(self, announcement: Announcement) -> None:
        """Publish one CloudEvent; its id makes a repetition recognisable."""
        ...
