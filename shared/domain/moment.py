"""The current time and the pace of waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Moment:
    """The time now, and the pace by which every wait is divided: 1 in production.

    >>> from datetime import UTC
    >>> Moment(datetime(2026, 3, 1, 12, tzinfo=UTC), pace=60).after(timedelta(hours=1)).isoformat()
    '2026-03-01T12:01:00+00:00'
    """

    now: datetime
    pace: float = 1.0

    def after(self, wait: timedelta) -> datetime:
        """When a wait that begins now is over."""
        return self.now + wait / self.pace
