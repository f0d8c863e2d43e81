"""A clock that tests set forward; nobody waits."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """Time as the tests say it is."""

    def __init__(self, start: datetime = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)) -> None:
        self.now = start

    def __call__(self) -> datetime:
        return self.now

    def timestamp(self) -> float:
        """The same for those who count seconds since the epoch."""
        return self.now.timestamp()

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.now += by
