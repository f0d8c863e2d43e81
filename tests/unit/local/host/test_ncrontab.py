"""NCRONTAB expressions, against hand-worked dates and against a search that tries every second."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.host.ncrontab import Crontab, Interval, ScheduleError, parse_schedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 */5 * * * *", "2026-01-01T00:00:00", "2026-01-01T00:05:00"),
        ("0 */5 * * * *", "2026-01-01T00:04:59", "2026-01-01T00:05:00"),
        ("*/15 * * * * *", "2026-01-01T00:00:14", "2026-01-01T00:00:15"),
        ("0 0 3 * * *", "2026-01-01T03:00:00", "2026-01-02T03:00:00"),
        ("0 30 9 * * 1-5", "2026-01-02T10:00:00", "2026-01-05T09:30:00"),
        ("0 30 9 * Jan Mon", "2026-01-26T10:00:00", "2027-01-04T09:30:00"),
        ("0 0 0 29 2 *", "2026-01-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 0 13 * FRI", "2026-01-01T00:00:00", "2026-02-13T00:00:00"),
        ("0 0 0 29 2 0", "2026-01-01T00:00:00", "2032-02-29T00:00:00"),
        ("0 10/20 * * * *", "2026-01-01T00:11:00", "2026-01-01T00:30:00"),
        ("0 0 22-20 * * *", "2026-01-01T00:00:00", "2026-01-01T20:00:00"),
        ("5,8,10 * * * * *", "2026-01-01T00:00:08", "2026-01-01T00:00:10"),
        ("*/5 * * * *", "2026-01-01T00:01:00", "2026-01-01T00:05:00"),
    ],
)
def test_the_next_occurrence_is_the_one_on_the_calendar(expression: str, after: str, expected: str) -> None:
    assert parse_schedule(expression).next_after(at(after)) == at(expected)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("* * * *", "4 fields"),
        ("60 * * * * *", "second"),
        ("0 0 24 * * *", "hour"),
        ("0 0 0 0 * *", "day"),
        ("0 0 0 * 13 *", "month"),
        ("0 0 0 * * 7", "day of week"),
        ("0 */0 * * * *", "step"),
        ("0 */x * * * *", "step"),
        ("0 0 0 * Foo *", "Foo"),
        ("0 0 0 ? * *", "day"),
        ("0 0 0 30 2 *", "never occurs"),
        ("25:00:00", "duration"),
        ("00:00:00", "greater than zero"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_with_the_part_at_fault(expression: str, told: str) -> None:
    with pytest.raises(ScheduleError, match=told):
        parse_schedule(expression)


def test_a_timespan_is_an_interval_counted_from_the_last_run() -> None:
    schedule = parse_schedule("1.02:00:00")
    assert schedule == Interval(timedelta(days=1, hours=2))
    assert schedule.next_after(at("2026-01-01T00:00:01")) == at("2026-01-02T02:00:01")


def _items(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    step = st.integers(1, high)
    item = st.one_of(
        st.just("*"),
        number.map(str),
        st.tuples(number, number).map(lambda pair: f"{pair[0]}-{pair[1]}"),
        step.map(lambda n: f"*/{n}"),
        st.tuples(number, number, step).map(lambda triple: f"{triple[0]}-{triple[1]}/{triple[2]}"),
    )
    return st.lists(item, min_size=1, max_size=3).map(",".join)


@given(
    seconds=_items(0, 59),
    minutes=_items(0, 59),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 -- made aware below
)
@settings(max_examples=60, deadline=None)
def test_no_matching_second_is_passed_over(seconds: str, minutes: str, start: datetime) -> None:
    schedule = parse_schedule(f"{seconds} {minutes} * * * *")
    assert isinstance(schedule, Crontab)
    moment = start.replace(microsecond=0, tzinfo=UTC)
    found = schedule.next_after(moment)
    probe = moment + timedelta(seconds=1)
    while not (probe.second in schedule.seconds and probe.minute in schedule.minutes):
        probe += timedelta(seconds=1)
    assert found == probe


@given(
    days=_items(1, 28),
    months=_items(1, 12),
    weekdays=_items(0, 6),
    start=st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 -- made aware below
)
@settings(max_examples=60, deadline=None)
def test_day_and_weekday_must_both_match(days: str, months: str, weekdays: str, start: datetime) -> None:
    schedule = parse_schedule(f"0 0 0 {days} {months} {weekdays}")
    assert isinstance(schedule, Crontab)
    moment = start.replace(tzinfo=UTC)
    found = schedule.next_after(moment)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    while not (day.day in schedule.days and day.month in schedule.months and day.isoweekday() % 7 in schedule.weekdays):
        day += timedelta(days=1)
    assert found == day
