"""The host's time. It may run faster than the wall's, so that a day of timers passes in minutes."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

_MAX_SLEEP = 30.0  # real seconds; a machine that was suspended notices within this time that an hour has passed


class Clock:
    """UTC time that runs `speed` times as fast as the wall clock from the moment of construction."""

    def __init__(self, speed: float = 1.0, origin: datetime | None = None) -> None:
        if speed <= 0:
            raise ValueError(f"clock speed must be above 0, not {speed}")
        self.speed = speed
        self._origin = origin or datetime.now(UTC)
        self._wall_origin = time.time()

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        return self._origin + timedelta(seconds=(time.time() - self._wall_origin) * self.speed)

    async def sleep_until(self, moment: datetime) -> None:
        """Return when `now()` has reached `moment`; at once when it already has."""
        while (left := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 -- time itself is awaited
            await asyncio.sleep(min(left / self.speed, _MAX_SLEEP))

    def real_seconds(self, seconds: float) -> float:
        """How long `seconds` of this clock take on the wall."""
        return seconds / self.speed
