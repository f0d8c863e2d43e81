"""The .NET TimeSpan format of `host.json`: `[-][d.]hh:mm:ss[.fffffff]`."""

import re
from datetime import timedelta

_TIMESPAN = re.compile(r"^(-)?(?:(\d+)\.)?(\d{1,2}):([0-5]?\d)(?::([0-5]?\d)(?:\.(\d{1,7}))?)?$")


def parse_timespan(text: str) -> timedelta:
    """Parse a duration. Raises ValueError for an invalid TimeSpan (hours are at most 23; days precede a dot)."""
    match = _TIMESPAN.match(text.strip())
    if match is None or int(match[3]) > 23:
        raise ValueError(f"{text!r} is not a duration in the format hh:mm:ss or d.hh:mm:ss")
    sign, days, hours, minutes, seconds, fraction = match.groups()
    duration = timedelta(
        days=int(days or 0),
        hours=int(hours),
        minutes=int(minutes),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(7, "0")[:6]),
    )
    return -duration if sign else duration


def format_timespan(duration: timedelta) -> str:
    """Format a duration as hh:mm:ss, with days before a dot if there are any."""
    seconds = int(duration.total_seconds())
    days, rest = divmod(seconds, 86400)
    text = f"{rest // 3600:02}:{rest // 60 % 60:02}:{rest % 60:02}"
    return f"{days}.{text}" if days else text
