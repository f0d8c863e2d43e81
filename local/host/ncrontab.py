"""NCRONTAB schedules for timer triggers.

The rules are those of the NCrontab library that the host uses: `{second} {minute} {hour} {day} {month} {day of week}`,
or five fields without seconds. Supported are values, ranges, steps (`*/5`, `10/5`, `1-30/3`), lists and English names,
in UTC. Unlike in cron, day and day of week must both match. A reversed range is accepted. A TimeSpan (`00:05:00`) is a
constant interval.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from local.host.timespan import parse_timespan

_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"]
_YEARS_AHEAD = 40  # 29 February falls on a given weekday every 28 years, or within 40 years across a century


@dataclass(frozen=True)
class _Field:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, tuple(_MONTHS)),
    _Field("day of week", 0, 6, tuple(_DAYS)),
)


class ScheduleError(ValueError):
    """A schedule that is invalid or never occurs."""


class Schedule(Protocol):
    """When a timer fires."""

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence after `moment` (UTC)."""
        ...


@dataclass(frozen=True)
class Interval:
    """A constant interval from the last run."""

    every: timedelta

    def next_after(self, moment: datetime) -> datetime:
        return moment + self.every


@dataclass(frozen=True)
class Crontab:
    """A parsed expression: the allowed values of each field."""

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def next_after(self, moment: datetime) -> datetime:
        """The first occurrence after `moment`. Raises ScheduleError if there is none within 40 years."""
        now = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        last_year = now.year + _YEARS_AHEAD
        while now.year <= last_year:
            if now.month not in self.months:
                now = _first_of_next_month(now)
            elif now.day not in self.days or now.isoweekday() % 7 not in self.weekdays:
                now = now.replace(hour=0, minute=0, second=0) + timedelta(days=1)
            elif now.hour not in self.hours:
                now = now.replace(minute=0, second=0) + timedelta(hours=1)
            elif now.minute not in self.minutes:
                now = now.replace(second=0) + timedelta(minutes=1)
            elif now.second not in self.seconds:
                now += timedelta(seconds=1)
            else:
                return now
        raise ScheduleError("the schedule never occurs: no date has this day, month and day of week")


def _first_of_next_month(now: datetime) -> datetime:
    start = now.replace(day=1, hour=0, minute=0, second=0)
    return start.replace(year=start.year + 1, month=1) if start.month == 12 else start.replace(month=start.month + 1)


def parse_schedule(text: str) -> Schedule:
    """Parse an NCRONTAB expression or a TimeSpan. Raises ScheduleError, which names the invalid part."""
    if ":" in text:
        try:
            every = parse_timespan(text)
        except ValueError as fault:
            raise ScheduleError(str(fault)) from fault
        if every <= timedelta(0):
            raise ScheduleError(f"the interval {text} must be greater than zero")
        return Interval(every)
    parts = text.split()
    if len(parts) not in (5, 6):
        raise ScheduleError(
            f"{text!r} has {len(parts)} fields; NCRONTAB has 6: second minute hour day month day-of-week"
        )
    fields = [
        _parse_field(part, field)
        for part, field in zip(parts if len(parts) == 6 else ["0", *parts], _FIELDS, strict=True)
    ]
    schedule = Crontab(*fields)
    schedule.next_after(datetime(2000, 1, 1, tzinfo=UTC))  # report an impossible date at startup
    return schedule


def _parse_field(text: str, field: _Field) -> frozenset[int]:
    values: set[int] = set()
    for item in text.split(","):
        body, slash, step_text = item.partition("/")
        step = 1
        if slash:
            if not step_text.isdigit() or int(step_text) == 0:
                raise ScheduleError(f"{field.name} {text!r}: the step {step_text!r} must be a number greater than 0")
            step = int(step_text)
        low, high = _parse_range(body, field, text, open_ended=bool(slash))
        values.update(range(low, high + 1, step))
    return frozenset(values)


def _parse_range(body: str, field: _Field, text: str, *, open_ended: bool) -> tuple[int, int]:
    if body == "*":
        return field.low, field.high
    first, dash, last = body.partition("-")
    low = _parse_value(first, field, text)
    if not dash:
        return low, field.high if open_ended else low
    high = _parse_value(last, field, text)
    return (low, high) if low <= high else (high, low)


def _parse_value(text: str, field: _Field, whole: str) -> int:
    if text.isdigit():
        value = int(text)
    else:
        matches = [index for index, name in enumerate(field.names) if text and name.startswith(text.lower())]
        if not matches:
            raise ScheduleError(f"{field.name} {whole!r}: {text!r} is not valid for this field")
        value = matches[0] + field.low
    if not field.low <= value <= field.high:
        raise ScheduleError(f"{field.name} {whole!r}: {value} is not between {field.low} and {field.high}")
    return value
