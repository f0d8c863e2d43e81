"""Durations for people."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.display import format_duration, relative_time

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=3, minutes=5), "3 h 5 min"),
        (timedelta(hours=47, minutes=59), "47 h 59 min"),
        (timedelta(hours=48), "2 d"),
        (timedelta(hours=52, minutes=30), "2 d 4 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(duration: timedelta, text: str) -> None:
    assert format_duration(duration) == text


@pytest.mark.parametrize(("after", "text"), [(40, "in 40 min"), (0, "0 s ago"), (-180, "3 h ago")])
def test_a_time_is_told_from_now(after: int, text: str) -> None:
    assert relative_time(NOW + timedelta(minutes=after), NOW) == text
