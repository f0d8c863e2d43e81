"""When a ring may be published: weekly windows, holidays, and freezes, each in its own time zone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_HORIZON: Final = 400
"""Days that are searched for an opening. A window that opens less often never opens."""


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some days of the week in which rings may be published. ``days`` counts from Monday, 0."""

    days: frozenset[int]
    opens: time
    closes: time
    """Not later than midnight, which is written 00:00."""
    zone: str
    """An IANA time zone, as ``Europe/Berlin``."""
    holidays: frozenset[date] = frozenset()
    """Days on which the window stays closed."""

    def openings(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The openings that end after ``now``, in order: when each begins and ends, by the wall clock of the zone."""
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for ahead in range(-1, _HORIZON):
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
    for _ in range(_HORIZON):
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
