"""The current time and the pace of waits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

CLOCK_SKEW: Final = timedelta(seconds=90)
"""How far the clocks of two instances of the app may be apart. Hosts in Azure keep theirs within a second; a deadline
that one instance sets is judged by another.
"""


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

    def past(self, deadline: datetime) -> datetime:
        """When a deadline has passed on the clock of every instance, whichever set it.

        >>> from datetime import UTC
        >>> moment = Moment(datetime(2026, 3, 1, 12, tzinfo=UTC))
        >>> moment.past(moment.now).isoformat()
        '2026-03-01T12:01:30+00:00'
        """
        return deadline + CLOCK_SKEW / self.pace

    def has_passed(self, deadline: datetime) -> bool:
        """Whether a deadline has passed on the clock of every instance."""
        return self.now > self.past(deadline)
