"""When a ring may be published: windows, holidays and freezes over changes of the clock."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.publish_window import Freeze, Window, after_hours_of, opens_at

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = Window(frozenset(range(5)), time(9), time(16), "Europe/Berlin")
NIGHT = Window(frozenset({4}), time(22), time(2), "UTC")
FRIDAY = datetime(2026, 3, 27, 12, tzinfo=BERLIN)
"""The clocks go forward on the Sunday after it."""


def opening(now: datetime, *windows: Window, freezes: tuple[Freeze, ...] = ()) -> datetime | None:
    return opens_at(windows, freezes, now)[0]


def test_without_windows_it_is_open_at_once() -> None:
    assert opens_at((), (), FRIDAY) == (FRIDAY, "")


def test_within_a_window_it_is_open_at_once() -> None:
    assert opens_at((OFFICE,), (), FRIDAY) == (FRIDAY, "")


def test_after_hours_it_opens_on_the_next_working_day_by_the_wall_clock() -> None:
    monday = datetime(2026, 3, 30, 9, tzinfo=BERLIN)
    assert opening(FRIDAY.replace(hour=17), OFFICE) == monday


def test_the_clock_change_moves_the_opening_in_utc() -> None:
    opened = opening(FRIDAY.replace(hour=17), OFFICE)
    assert opened is not None
    assert (FRIDAY.astimezone(UTC).hour, opened.astimezone(UTC).hour) == (11, 7)


def test_the_end_of_a_window_is_outside() -> None:
    assert opening(FRIDAY.replace(hour=16), OFFICE) != FRIDAY.replace(hour=16)


def test_a_window_over_midnight_is_open_on_the_next_day() -> None:
    saturday = datetime(2026, 3, 28, 1, tzinfo=UTC)
    assert opening(saturday, NIGHT) == saturday


def test_a_window_over_midnight_is_of_the_day_on_which_it_opens() -> None:
    friday_morning = datetime(2026, 3, 27, 1, tzinfo=UTC)
    assert opening(friday_morning, NIGHT) == datetime(2026, 3, 27, 22, tzinfo=UTC)


def test_it_does_not_open_on_a_holiday() -> None:
    closed = Window(OFFICE.days, OFFICE.opens, OFFICE.closes, OFFICE.zone, frozenset({date(2026, 3, 30)}))
    assert opening(FRIDAY.replace(hour=17), closed) == datetime(2026, 3, 31, 9, tzinfo=BERLIN)


def test_the_first_of_several_windows_counts() -> None:
    assert opening(FRIDAY.replace(hour=17), OFFICE, NIGHT) == datetime(2026, 3, 27, 22, tzinfo=UTC)


def test_a_freeze_closes_a_window_and_is_named() -> None:
    freeze = Freeze(FRIDAY - timedelta(hours=1), FRIDAY + timedelta(hours=1), "an audit")
    at, why = opens_at((OFFICE,), (freeze,), FRIDAY)
    assert (at, "an audit" in why) == (FRIDAY + timedelta(hours=1), True)


def test_a_freeze_that_ends_after_hours_opens_with_the_next_window() -> None:
    freeze = Freeze(FRIDAY, FRIDAY.replace(hour=20), "an audit")
    assert opening(FRIDAY, OFFICE, freezes=(freeze,)) == datetime(2026, 3, 30, 9, tzinfo=BERLIN)


def test_freezes_that_follow_each_other_are_one() -> None:
    first = Freeze(FRIDAY, FRIDAY + timedelta(hours=1), "a")
    second = Freeze(FRIDAY + timedelta(hours=1), FRIDAY + timedelta(hours=2), "b")
    assert opening(FRIDAY, freezes=(first, second)) == FRIDAY + timedelta(hours=2)


def test_what_never_opens_is_said_to() -> None:
    always = frozenset(date(2026, 1, 1) + timedelta(days=day) for day in range(900))
    assert opening(FRIDAY, Window(frozenset(range(7)), time(9), time(10), "UTC", always)) is None


@given(
    st.integers(0, 2 * 365 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.times(),
    st.times(),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
def test_what_opens_is_open_then_and_not_before(
    now: datetime, days: frozenset[int], opens: time, closes: time, zone: str
) -> None:
    window = Window(days, opens, closes, zone)
    at = opening(now, window)
    assert at is not None
    assert at >= now
    assert opening(at, window) == at
    assert at == now or opening(now + (at - now) / 2, window) == at


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
def test_a_day_is_open_as_long_as_its_window(zone: str) -> None:
    window = Window(frozenset(range(7)), time(0), time(0), zone)
    assert opening(FRIDAY, window) == FRIDAY


HOURS_IN_BERLIN = Window(frozenset(range(7)), time(1), time(4), "Europe/Berlin")
"""The hours in which the clocks change, on every day."""


def test_a_bake_stops_at_the_end_of_the_hours_and_goes_on_with_the_next() -> None:
    over = after_hours_of(OFFICE, FRIDAY, timedelta(hours=6))
    assert over == datetime(2026, 3, 30, 11, tzinfo=BERLIN)


def test_a_bake_that_ends_with_the_hours_is_over_then() -> None:
    assert after_hours_of(OFFICE, FRIDAY, timedelta(hours=4)) == FRIDAY.replace(hour=16)


def test_a_bake_counts_elapsed_time_when_an_hour_is_missing() -> None:
    since = datetime(2026, 3, 29, 0, tzinfo=BERLIN)
    assert after_hours_of(HOURS_IN_BERLIN, since, timedelta(hours=2)) == datetime(2026, 3, 29, 2, tzinfo=UTC)


def test_a_bake_counts_elapsed_time_when_an_hour_comes_twice() -> None:
    since = datetime(2026, 10, 25, 0, tzinfo=BERLIN)
    assert after_hours_of(HOURS_IN_BERLIN, since, timedelta(hours=4)) == datetime(2026, 10, 25, 3, tzinfo=UTC)


def test_a_bake_of_no_time_is_over_at_once_also_outside_the_hours() -> None:
    assert after_hours_of(OFFICE, FRIDAY.replace(hour=20), timedelta(0)) == FRIDAY.replace(hour=20)


def test_a_bake_that_takes_longer_than_the_horizon_is_never_over() -> None:
    assert after_hours_of(NIGHT, FRIDAY, timedelta(days=90)) is None


_MOMENTS = st.datetimes(max_value=datetime(2027, 1, 1), min_value=datetime(2025, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is drawn apart
_WAITS = st.integers(0, 48 * 60).map(lambda minutes: timedelta(minutes=minutes))
_CLOCK = st.times().map(lambda at: at.replace(second=0, microsecond=0, tzinfo=None))
_WINDOWS = st.builds(
    Window,
    st.frozensets(st.integers(0, 6), min_size=3),
    _CLOCK,
    _CLOCK,
    st.sampled_from(("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")),
)


@given(_WINDOWS, _MOMENTS, _WAITS, _WAITS)
def test_two_bakes_one_after_the_other_are_one_bake(
    window: Window, since: datetime, first: timedelta, then: timedelta
) -> None:
    between, together = after_hours_of(window, since, first), after_hours_of(window, since, first + then)
    if between is not None and together is not None:
        assert after_hours_of(window, between, then) == together


@given(_WINDOWS, _MOMENTS, _WAITS)
def test_a_bake_never_ends_before_its_time(window: Window, since: datetime, wait: timedelta) -> None:
    over = after_hours_of(window, since, wait)
    assert over is None or over >= since + wait


@given(_MOMENTS, _WAITS, st.sampled_from(("Europe/Berlin", "America/New_York", "Asia/Kolkata")))
def test_hours_around_the_clock_are_no_restriction_in_any_zone(since: datetime, wait: timedelta, zone: str) -> None:
    always = Window(frozenset(range(7)), time(0), time(0), zone)
    assert after_hours_of(always, since, wait) == since + wait
