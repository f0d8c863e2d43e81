"""The host's clock. It can run faster than real time, so that a day of timers passes in minutes."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

_MAX_SLEEP = 30.0  # real seconds; after the computer was suspended, the new time is noticed within this time


class Clock:
    """UTC time that runs `speed` times as fast as real time."""

    def __init__(self, speed: float = 1.0, origin: datetime | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"clock speed must be greater than 0, not {speed}")
        self.speed = speed
        self._origin = origin or datetime.now(UTC)
        self._wall_origin = time.time()

    def now(self) -> datetime:
        """The current time in UTC."""
        return self._origin + timedelta(seconds=(time.time() - self._wall_origin) * self.speed)

    async def sleep_until(self, moment: datetime) -> None:
        """Wait until `now()` reaches `moment`."""
        while (left := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 -- there is no event to wait for
            await asyncio.sleep(min(left / self.speed, _MAX_SLEEP))

    def real_seconds(self, seconds: float) -> float:
        """The real duration of `seconds` of this clock."""
        return seconds / self.speed
