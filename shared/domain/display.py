"""Times, numbers and text from outside as people read them, in a terminal and on a page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def printable(text: str) -> str:
    r"""Text from outside with its control and formatting characters escaped (``\x1b``); line breaks stay."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)


def count(number: int, one: str, many: str = "") -> str:
    """``1 finding``, ``12,345 findings``. ``many`` is the plural where it is not ``one`` with an s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def format_time(at: datetime) -> str:
    """``2026-05-01 12:00:00``, in UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def relative_time(at: datetime, now: datetime) -> str:
    """``in 40 min`` or ``3 h ago``."""
    return f"in {format_duration(at - now)}" if at > now else f"{format_duration(now - at)} ago"


def format_duration(duration: timedelta) -> str:
    """``45 s``, ``40 min``, ``3 h 5 min`` or ``2 d 4 h``: a duration in its two largest units at most."""
    seconds = round(duration.total_seconds())
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    hours, minutes = seconds // 3600, seconds % 3600 // 60
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"
