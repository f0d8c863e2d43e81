"""The calendar: when a ring may be published, and when its bake time is over if it counts in some hours only.

Weekly windows, holidays and freezes, each in its own time zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

HORIZON: Final = timedelta(days=400)
"""How far ahead an opening is searched for. A window that opens less often never opens."""
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days of the week, in which rings may be published or bake. ``days`` counts from Monday, 0."""

    days: frozenset[int]
    opens: time
    closes: time
    """Not later than midnight, which is written 00:00."""
    zone: str
    """An IANA time zone, as ``Europe/Berlin``."""
    holidays: frozenset[date] = frozenset()
    """Days on which the window stays closed."""

    def __str__(self) -> str:
        days = ", ".join(_DAYS[day] for day in sorted(self.days))
        return f"{days} {self.opens:%H:%M} to {self.closes:%H:%M}, {self.zone}"

    def openings(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The openings that end after ``now``, in order: when each begins and ends, by the wall clock of the zone."""
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for ahead in range(-1, HORIZON.days):
            day = today + timedelta(days=ahead)
            if day.weekday() not in self.days or day in self.holidays:
                continue
            end_of = day if self.closes > self.opens else day + timedelta(days=1)
            # Wall-clock times: where the clocks change, the opening is an hour longer or shorter.
            begins = datetime.combine(day, self.opens, zone)
            ends = datetime.combine(end_of, self.closes, zone)
            if ends > now:
                yield begins, ends


@dataclass(frozen=True, slots=True)
class Freeze:
    """A time in which no ring is published."""

    begins: datetime
    ends: datetime
    reason: str


def opens_at(windows: tuple[Window, ...], freezes: tuple[Freeze, ...], now: datetime) -> tuple[datetime | None, str]:
    """When a ring may be published next, and what it waits for until then.

    Returns ``now`` and an empty text where it may be published at once; None where nothing opens within 400 days.
    """
    why = ""
    at = now
    for _ in range(HORIZON.days):
        frozen = max(
            (each for each in freezes if each.begins <= at < each.ends), key=lambda each: each.ends, default=None
        )
        if frozen is not None:
            why = why or f"the freeze until {frozen.ends:%Y-%m-%d %H:%M %Z} ({frozen.reason})"
            at = frozen.ends
            continue
        opening = min((max(begins, at) for each in windows for begins, _ in _first(each, at)), default=None)
        if not windows or opening == at:
            return at, why
        why = why or "the next publish window"
        if opening is None:
            return None, why
        at = opening
    return None, why


def _first(window: Window, at: datetime) -> Iterator[tuple[datetime, datetime]]:
    for opening in window.openings(at):
        yield opening
        return


def after_hours_of(window: Window, since: datetime, wait: timedelta) -> datetime | None:
    """When a wait that begins at ``since`` is over, if only the time inside the window counts.

    Counts elapsed time: where the clocks change, an opening is an hour longer or shorter. Returns None for a wait that
    is not over within 400 days.
    """
    since, left = since.astimezone(UTC), wait
    if left <= timedelta(0):
        return since
    for opening in window.openings(since):
        begins, ends = (each.astimezone(UTC) for each in opening)
        begins = max(begins, since)
        if left <= ends - begins:
            return begins + left
        left -= max(timedelta(0), ends - begins)
    return None


def next_day(now: datetime, zone: str) -> datetime:
    """When the next day begins in a time zone."""
    tomorrow = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time.min, ZoneInfo(zone)).astimezone(UTC)


def is_same_day(one: datetime, other: datetime, zone: str) -> bool:
    """Whether two times are on the same day in a time zone."""
    return one.astimezone(ZoneInfo(zone)).date() == other.astimezone(ZoneInfo(zone)).date()
